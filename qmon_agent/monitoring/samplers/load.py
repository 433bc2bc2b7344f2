"""How many threads run or wait to run, as averages."""

from __future__ import annotations

import os

import msgspec

from qmon_sdk.protocol.signals import Point

from ._sheet import Sheet, Totals

SPANS = ("1m", "5m", "15m")


class LoadSampler(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`system.cpu.load_average.*`, and `system.cpu.logical.count` to hold it against."""

    def sample(self, now: int) -> list[Point]:
        """The three averages the kernel keeps."""
        sheet = Sheet(now, Totals())
        for span, load in zip(SPANS, os.getloadavg(), strict=True):
            sheet.gauge(f"system.cpu.load_average.{span}", load, unit="{thread}")
        sheet.gauge("system.cpu.logical.count", os.cpu_count() or 1, unit="{cpu}")
        return sheet.finish()
