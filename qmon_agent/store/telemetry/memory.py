"""How much memory this process has, and giving back what it does not need."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pyarrow as pa

STATM = Path("/proc/self/statm")


def rss_bytes() -> int:
    """Resident bytes; where the system does not say it cheaply, the largest so far."""
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def spare() -> None:
    """Give back what Arrow keeps for later batches; called when there is nothing to do."""
    pa.default_memory_pool().release_unused()
