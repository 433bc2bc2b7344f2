"""What it costs to be there at all: to begin, to stay, to leave."""

from __future__ import annotations

import os
import time
from pathlib import Path

from . import begun


def start(name, port, _):
    """Nanoseconds of wall clock from bare Python to "recording": import and init."""
    before = time.perf_counter_ns()
    begun(name, port)
    return time.perf_counter_ns() - before


def memory(name, port, _):
    """Bytes of resident memory that import and init add."""
    before = _resident()
    begun(name, port)
    return _resident() - before


def working(name, port, _):
    """Bytes of resident memory that import, init and 20,000 calls add."""
    before = _resident()
    them = begun(name, port)
    work = them.called()
    for n in range(20_000):
        work(n)
        if not n % 1000:
            them.flush()
    return _resident() - before


def _resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
