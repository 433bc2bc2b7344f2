"""How full memory and swap are."""

from __future__ import annotations

import mmap

import msgspec
import psutil

from qmon_sdk.protocol.signals import Point

from ._sheet import Sheet, Totals

STATES = ("used", "free", "cached", "buffers")


class MemorySampler(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`system.memory.*` and `system.paging.*`, in bytes and as shares of the whole."""

    _totals: Totals = msgspec.field(default_factory=Totals)

    def sample(self, now: int) -> list[Point]:
        """Memory first, then swap if there is any."""
        sheet = Sheet(now, self._totals)
        _memory(sheet)
        _swap(sheet)
        return sheet.finish()


def _memory(sheet: Sheet) -> None:
    memory = psutil.virtual_memory()
    for state in STATES:
        if (size := getattr(memory, state, None)) is not None:
            of = {"system.memory.state": state}
            sheet.gauge("system.memory.usage", size, unit="By", of=of)
            sheet.gauge("system.memory.utilization", size / memory.total, of=of)
    sheet.gauge("system.linux.memory.available", memory.available, unit="By")
    sheet.gauge("system.memory.limit", memory.total, unit="By")


def _swap(sheet: Sheet) -> None:
    swap = psutil.swap_memory()
    for state, size in (("used", swap.used), ("free", swap.free)):
        of = {"system.paging.state": state}
        sheet.gauge("system.paging.usage", size, unit="By", of=of)
        if swap.total:
            sheet.gauge("system.paging.utilization", size / swap.total, of=of)
    for direction, size in (("in", swap.sin), ("out", swap.sout)):
        of = {"system.paging.direction": direction}
        pages = size // mmap.PAGESIZE
        sheet.total("system.paging.operations", pages, unit="{operation}", of=of)
