"""Cases: what is measured, one function each, in a process of its own.

Each is called with the name of a peer, the port of the sink, and how many bursts to run, and gives
one number. All CPU of the process is counted, threads included, from the first call to the end of
the flush. Everybody is flushed after fewer items than the smallest queue among the peers holds, so
that nobody wins by dropping.
"""

from __future__ import annotations

import time

BURST = 500  # spans of one transaction: some keep 1,000 at most
BURSTS = 4  # between two flushes: some queue 2,048 at most


def cpu(run, flush, bursts):
    """Nanoseconds of CPU of one `run`, sending included; the first run is not counted."""
    run()
    flush()
    begun = time.process_time_ns()
    for _ in range(bursts):
        run()
        flush()
    return (time.process_time_ns() - begun) / bursts


def inside(them, run, bursts):
    """Nanoseconds of CPU of one of the `BURST` items of `run`, inside of an open request."""

    def requests():
        for _ in range(BURSTS):
            them.inside(run)

    return cpu(requests, them.flush, bursts) / (BURST * BURSTS)
