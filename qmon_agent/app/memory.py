"""How much memory this process holds, and giving back what was needed once."""

from __future__ import annotations

import ctypes
import mmap
import os


def resident_bytes() -> int:
    """What is in memory of this process; where the kernel has no such file, psutil is asked."""
    try:
        return int(_statm().split()[1]) * mmap.PAGESIZE
    except (OSError, IndexError, ValueError):
        import psutil  # a megabyte that most agents never need

        return int(psutil.Process().memory_info().rss)


def _statm() -> bytes:
    """Read each second: without the objects that Python has for files."""
    descriptor = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 256)
    finally:
        os.close(descriptor)


def give_back() -> None:
    """Let the C library return what is free; where Python had to compile, that is 8 MB.

    An agent that may not write beside its code compiles at every start.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # another C library, or no such thing at all
        return
    trim(0)
