"""What the disks do and how full their file systems are."""

from __future__ import annotations

import msgspec
import psutil

from qmon_sdk.protocol.signals import Point

from ._sheet import Sheet, Totals

SECOND = 1_000_000_000
MS = 1e-3
IO = (
    ("system.disk.io", "By", "bytes", 1),
    ("system.disk.operations", "{operation}", "count", 1),
    ("system.disk.operation_time", "s", "time", MS),
)
"""Metric, unit, the end of psutil's field, and what to multiply it by."""


class DiskSampler(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`system.disk.*` per device, `system.filesystem.*` per mount point."""

    ignore_devices: tuple[str, ...] = ("loop", "ram", "zram")
    """Devices whose names begin with one of these are left out."""
    ignore_types: tuple[str, ...] = ("squashfs", "overlay", "tmpfs", "devtmpfs")
    """Types of file system that are left out."""
    max_devices: int = 64
    """The most devices that are told apart."""
    filesystems_every_s: float = 10.0
    """Time between two looks at how full file systems are."""
    _totals: Totals = msgspec.field(default_factory=Totals)
    _filesystems_due: int = 0

    def sample(self, now: int) -> list[Point]:
        """Devices each time, file systems more seldom: they fill slowly and may be slow to ask."""
        sheet = Sheet(now, self._totals)
        self._devices(sheet)
        if now >= self._filesystems_due:
            self._filesystems_due = now + round(self.filesystems_every_s * SECOND)
            self._filesystems(sheet)
        return sheet.finish()

    def _devices(self, sheet: Sheet) -> None:
        counters = psutil.disk_io_counters(perdisk=True) or {}
        wanted = [name for name in counters if not name.startswith(self.ignore_devices)]
        for name in wanted[: self.max_devices]:
            for metric, unit, field, scale in IO:
                for direction in ("read", "write"):
                    value = getattr(counters[name], f"{direction}_{field}") * scale
                    of = {"system.device": name, "disk.io.direction": direction}
                    sheet.total(metric, value, unit=unit, of=of)
            if (busy := getattr(counters[name], "busy_time", None)) is not None:
                sheet.total("system.disk.io_time", busy * MS, unit="s", of={"system.device": name})

    def _filesystems(self, sheet: Sheet) -> None:
        mounted = [
            each for each in psutil.disk_partitions() if each.fstype not in self.ignore_types
        ]
        for each in mounted[: self.max_devices]:
            try:
                usage = psutil.disk_usage(each.mountpoint)
            except OSError:
                continue  # unmounted since, or not ours to look at
            where = {
                "system.device": each.device,
                "system.filesystem.mountpoint": each.mountpoint,
                "system.filesystem.type": each.fstype,
            }
            for state, size in (("used", usage.used), ("free", usage.free)):
                of = where | {"system.filesystem.state": state}
                sheet.gauge("system.filesystem.usage", size, unit="By", of=of)
            sheet.gauge("system.filesystem.utilization", usage.percent / 100, of=where)
            sheet.gauge("system.filesystem.limit", usage.total, unit="By", of=where)
