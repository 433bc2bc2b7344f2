"""How full memory and swap are."""

from __future__ import annotations

from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel, pairs
from ._sheet import Sheet

KIB = 1024
STATES = ("used", "free", "cached", "buffers")
LINUX = ("MemAvailable", "Dirty", "Writeback", "Slab", "Committed_AS", "AnonPages")
"""What moves fast enough to be told each time; `meminfo` has the others."""


class MemorySampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.memory.*` and `system.paging.*`, in bytes and as shares of the whole."""

    def sample(self, now: int) -> list[Point]:
        """Memory first, then swap."""
        sheet = Sheet(now, self._totals)
        info = dict(pairs(self.text(f"{self.proc}/meminfo")))
        if "MemTotal" in info:
            info = {name: size * KIB for name, size in info.items()}
            _memory(sheet, _states(info), info["MemTotal"])
            _swap(sheet, info.get("SwapTotal", 0), info.get("SwapFree", 0))
            for name in LINUX:
                if name in info:
                    metric = name.removeprefix("Mem").removesuffix("_AS").lower()
                    metric = {"anonpages": "anonymous"}.get(metric, metric)
                    sheet.gauge(f"system.linux.memory.{metric}", info[name], unit="By")
        else:
            _ask(sheet)
        return sheet.finish()


def _states(info: dict[str, int]) -> dict[str, int]:
    cached = info.get("Cached", 0) + info.get("SReclaimable", 0)
    free, buffers = info.get("MemFree", 0), info.get("Buffers", 0)
    used = max(0, info["MemTotal"] - free - buffers - cached)
    return {"used": used, "free": free, "cached": cached, "buffers": buffers}


def _ask(sheet: Sheet) -> None:
    """The same of psutil, where there is no such file."""
    import psutil

    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    present = {state: getattr(memory, state, None) for state in STATES}
    states = {state: size for state, size in present.items() if size is not None}
    _memory(sheet, states, memory.total)
    _swap(sheet, swap.total, swap.free)
    sheet.gauge("system.linux.memory.available", memory.available, unit="By")


def _memory(sheet: Sheet, states: dict[str, int], total: int) -> None:
    for state, size in states.items():
        of = {"system.memory.state": state}
        sheet.gauge("system.memory.usage", size, unit="By", of=of)
        sheet.gauge("system.memory.utilization", size / total, of=of)
    sheet.gauge("system.memory.limit", total, unit="By")


def _swap(sheet: Sheet, total: int, free: int) -> None:
    for state, size in (("used", total - free), ("free", free)):
        of = {"system.paging.state": state}
        sheet.gauge("system.paging.usage", size, unit="By", of=of)
        if total:
            sheet.gauge("system.paging.utilization", size / total, of=of)
