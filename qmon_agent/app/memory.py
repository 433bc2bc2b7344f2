"""How much memory this process holds, and giving back what was needed once."""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path


def resident_bytes() -> int:
    """What is in memory of this process; where the kernel has no such file, psutil is asked."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * mmap.PAGESIZE
    except (OSError, IndexError, ValueError):
        import psutil  # a megabyte that most agents never need

        return int(psutil.Process().memory_info().rss)


def give_back() -> None:
    """Let the C library return what is free; where Python had to compile, that is 8 MB.

    An agent that may not write beside its code compiles at every start.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # another C library, or no such thing at all
        return
    trim(0)
