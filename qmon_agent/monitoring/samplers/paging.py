"""What moves between memory and disk, which pages were missing, and whom the kernel killed."""

from __future__ import annotations

import mmap

from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel, whole
from ._sheet import Sheet

FAULT, DIRECTION = "system.paging.fault.type", "system.paging.direction"
TABLE = {
    "pswpin": ("system.paging.operations", "{operation}", {DIRECTION: "in"}),
    "pswpout": ("system.paging.operations", "{operation}", {DIRECTION: "out"}),
    "pgmajfault": ("system.paging.faults", "{fault}", {FAULT: "major"}),
    "oom_kill": ("system.linux.memory.oom_kills", "{kill}", {}),
    "pgscan_direct": ("system.linux.paging.scanned", "{page}", {"system.paging.by": "direct"}),
    "pgscan_kswapd": ("system.linux.paging.scanned", "{page}", {"system.paging.by": "kswapd"}),
    "pgsteal_direct": ("system.linux.paging.reclaimed", "{page}", {"system.paging.by": "direct"}),
    "pgsteal_kswapd": ("system.linux.paging.reclaimed", "{page}", {"system.paging.by": "kswapd"}),
}
"""Key of `/proc/vmstat` → metric, unit, attributes."""
KEYS = (*TABLE, "pgfault")


class PagingSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.paging.faults` and `.operations`, pages reclaimed, and kills for want of memory."""

    def sample(self, now: int) -> list[Point]:
        """A few of the kernel's many counters; `vmstat` has the others."""
        sheet = Sheet(now, self._totals)
        text = f"\n{self.text(f'{self.proc}/vmstat')}"
        counts = {key: count for key in KEYS if (count := _count(text, key)) is not None}
        for key, (metric, unit, of) in TABLE.items():
            if key in counts:
                sheet.total(metric, counts[key], unit=unit, of=of)
        if "pgfault" in counts:
            minor = counts["pgfault"] - counts.get("pgmajfault", 0)
            sheet.total("system.paging.faults", minor, unit="{fault}", of={FAULT: "minor"})
        if not counts:
            _ask(sheet)
        return sheet.finish()


def _count(text: str, key: str) -> int | None:
    """One line of two hundred: to look for it is cheaper than to read them all."""
    begin = text.find(f"\n{key} ")
    if begin < 0:
        return None
    begin += len(key) + 2
    return whole(text[begin : text.find("\n", begin)])


def _ask(sheet: Sheet) -> None:
    import psutil

    swap = psutil.swap_memory()
    for direction, size in (("in", swap.sin), ("out", swap.sout)):
        pages = size // mmap.PAGESIZE
        of = {DIRECTION: direction}
        sheet.total("system.paging.operations", pages, unit="{operation}", of=of)
