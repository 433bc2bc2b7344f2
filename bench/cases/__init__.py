"""Cases: what is measured, one function each, in a process of its own.

Each is called with the name of a peer, the port of the sink, and how many bursts to run, and gives
one number. All CPU of the process is counted, threads included, from the first call to the end of
the flush. Everybody is flushed after fewer items than the smallest queue among the peers holds, so
that nobody wins by dropping.
"""

from __future__ import annotations

import time
from functools import wraps

from bench.peers import peer

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


def begun(name, port):
    """Have a peer record."""
    them = peer(name)
    them.begin(port)
    return them


def each_of(items):
    """Make a case of what makes a run of so many items for a peer: what one of them costs."""

    def case(make):
        @wraps(make)
        def measured(name, port, bursts):
            them = begun(name, port)
            return cpu(make(them), them.flush, bursts) / items

        return measured

    return case


def each_inside(make):
    """Make a case of what makes a run of `BURST` items, which then are inside of a request."""

    @each_of(BURST * BURSTS)
    @wraps(make)
    def measured(them):
        run = make(them)

        def requests():
            for _ in range(BURSTS):
                them.inside(run)

        return requests

    return measured
