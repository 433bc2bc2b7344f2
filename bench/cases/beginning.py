"""What it costs to be there at all: to begin, to stay, to leave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from . import begun

# What this process has imported, others would get for nothing: so another one, that has nothing.
_BARE = """
import os, sys, time
from bench import peers

def resident():
    with open("/proc/self/statm") as sizes:
        return int(sizes.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

read = {"time": time.perf_counter_ns, "memory": resident}[sys.argv[1]]
before = read()
peers.peer(sys.argv[2]).begin(int(sys.argv[3]))
print(read() - before, flush=True)
os._exit(0)
"""


def start(name, port, _):
    """Nanoseconds of wall clock from bare Python to "recording": import and init."""
    return _in_bare_python("time", name, port)


def memory(name, port, _):
    """Bytes of resident memory that import and init add."""
    return _in_bare_python("memory", name, port)


def _in_bare_python(what, name, port):
    command = [sys.executable, "-c", _BARE, what, name, str(port)]
    return int(subprocess.run(command, capture_output=True, check=True).stdout.split()[-1])


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
