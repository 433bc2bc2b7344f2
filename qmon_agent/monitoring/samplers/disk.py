"""What the disks do: how much, how long it takes, how much waits."""

from __future__ import annotations

from collections.abc import Iterator

from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel
from ._sheet import Sheet

SECOND = 1_000_000_000
MS = 1e-3
SECTOR = 512
FIELDS = (
    *("read_count", "read_merged", "read_sectors", "read_time"),
    *("write_count", "write_merged", "write_sectors", "write_time"),
    *("pending", "busy_time", "waited_time"),
    *("discard_count", "discard_merged", "discard_sectors", "discard_time"),
    *("flush_count", "flush_time"),
)
"""The columns of `/proc/diskstats` behind the name, in their order; times are milliseconds."""
IO = (
    ("system.disk.io", "By", "sectors", SECTOR),
    ("system.disk.merged", "{operation}", "merged", 1),
)
DIRECTIONS = ("read", "write", "discard", "flush")
PORTABLE = ("count", "bytes", "time")
Counters = dict[str, int]


class DiskSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.disk.*` per device: bytes, operations, latency, busy share, queue."""

    ignore_devices: tuple[str, ...] = ("loop", "ram", "zram")
    """Devices whose names begin with one of these are left out."""
    max_devices: int = 64
    """The most devices that are told apart."""
    _before: int = 0

    def sample(self, now: int) -> list[Point]:
        """Every device that ever did anything."""
        sheet = Sheet(now, self._totals)
        passed_s = (now - self._before) / SECOND
        self._before = now
        text = self.text(f"{self.proc}/diskstats")
        devices = _read(text) if text else _asked()
        wanted = [each for each in devices if not each[0].startswith(self.ignore_devices)]
        for name, counters in wanted[: self.max_devices]:
            of = {"system.device": name}
            for direction in DIRECTIONS:
                _write_direction(sheet, counters, way=direction, of=of)
            _write_waiting(sheet, counters, of=of, passed_s=passed_s)
        return sheet.finish()


def _read(text: str) -> Iterator[tuple[str, Counters]]:
    for line in text.splitlines():
        words = line.split()
        if len(words) > len(FIELDS[:11]) and words[3] != "0":
            yield words[2], dict(zip(FIELDS, map(int, words[3:]), strict=False))


def _asked() -> Iterator[tuple[str, Counters]]:
    import psutil

    for name, counters in (psutil.disk_io_counters(perdisk=True) or {}).items():
        found = {
            f"{direction}_{what}": getattr(counters, f"{direction}_{what}", 0)
            for direction in DIRECTIONS[:2]
            for what in PORTABLE
        }
        sectors = {f"{each}_sectors": found[f"{each}_bytes"] // SECTOR for each in DIRECTIONS[:2]}
        yield name, found | sectors


def _write_direction(sheet: Sheet, counters: Counters, *, way: str, of: dict[str, str]) -> None:
    told = of | {"disk.io.direction": way}
    for metric, unit, field, scale in IO:
        if (value := counters.get(f"{way}_{field}")) is not None:
            sheet.total(metric, value * scale, unit=unit, of=told)
    count, spent = counters.get(f"{way}_count"), counters.get(f"{way}_time")
    if count is None or spent is None:
        return
    done = sheet.total("system.disk.operations", count, unit="{operation}", of=told)
    took = sheet.total("system.disk.operation_time", spent * MS, unit="s", of=told)
    if done and took is not None:
        sheet.gauge("system.disk.latency", took / done, unit="s", of=told)


def _write_waiting(
    sheet: Sheet, counters: Counters, *, of: dict[str, str], passed_s: float
) -> None:
    """How much of the time something was under way, and how much of it on average."""
    if "pending" not in counters:
        return
    sheet.gauge("system.disk.pending", counters["pending"], unit="{operation}", of=of)
    busy = sheet.total("system.disk.io_time", counters["busy_time"] * MS, unit="s", of=of)
    waited = sheet.total(
        "system.disk.weighted_io_time", counters["waited_time"] * MS, unit="s", of=of
    )
    if busy is None or waited is None or passed_s <= 0:
        return
    sheet.gauge("system.disk.utilization", min(1.0, busy / passed_s), of=of)
    sheet.gauge("system.disk.queue.length", waited / passed_s, unit="{operation}", of=of)
