"""Where the processors spend their time."""

from __future__ import annotations

import msgspec
import psutil

from qmon_sdk.protocol.signals import Point

from ._sheet import Sheet, Totals

MODES = {
    "user": ("user",),
    "system": ("system",),
    "nice": ("nice",),
    "idle": ("idle",),
    "iowait": ("iowait",),
    "interrupt": ("irq", "softirq", "interrupt", "dpc"),
    "steal": ("steal",),
}
"""OpenTelemetry's `cpu.mode` → psutil's fields; guest time is in user time already."""


class CpuSampler(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`system.cpu.time` in seconds and `system.cpu.utilization` as shares of the whole, by mode."""

    _totals: Totals = msgspec.field(default_factory=Totals)

    def sample(self, now: int) -> list[Point]:
        """All processors added up."""
        sheet = Sheet(now, self._totals)
        times = psutil.cpu_times()._asdict()
        grown = {}
        for mode, fields in MODES.items():
            if present := [times[field] for field in fields if field in times]:
                of = {"cpu.mode": mode}
                grown[mode] = sheet.total("system.cpu.time", sum(present), unit="s", of=of)
        whole = sum(growth or 0.0 for growth in grown.values())
        for mode, growth in grown.items():
            if growth is not None and whole > 0:
                sheet.gauge("system.cpu.utilization", growth / whole, of={"cpu.mode": mode})
        return sheet.finish()
