"""What a control group of the second version says of itself, under whatever name it is told."""

from __future__ import annotations

from ._kernel import Kernel, pairs, whole
from ._pressure import write_pressure
from ._sheet import Sheet

US = 1e-6
CPU = {"user_usec": "user", "system_usec": "system"}
EVENTS = ("low", "high", "max", "oom", "oom_kill")
IO = {
    "rbytes": ("disk.io", "By", "read"),
    "wbytes": ("disk.io", "By", "write"),
    "rios": ("disk.operations", "{operation}", "read"),
    "wios": ("disk.operations", "{operation}", "write"),
}
MEMORY = {
    "memory.current": "memory.usage",
    "memory.swap.current": "memory.swap.usage",
    "memory.max": "memory.limit",
    "memory.peak": "memory.peak",
}


def root_of(kernel: Kernel) -> str:
    """Where groups of the second version are; empty where there are none with controllers."""
    for place in (f"{kernel.sys}/fs/cgroup", f"{kernel.sys}/fs/cgroup/unified"):
        if kernel.text(f"{place}/cgroup.controllers").strip():
            return place
    return ""


class Group:
    """One control group, written on a sheet."""

    def __init__(self, kernel: Kernel, folder: str, *, prefix: str) -> None:
        """`prefix` begins the names of its metrics."""
        self._kernel = kernel
        self._folder = folder
        self._prefix = prefix

    def write(self, sheet: Sheet, of: dict[str, str], *, with_pressure: bool = False) -> None:
        """Everything it has a file for; a limit that is `max` is none."""
        self._cpu(sheet, of)
        self._memory(sheet, of)
        self._disks(sheet, of)
        for file, metric in (("pids.current", "process.count"), ("pids.max", "process.limit")):
            if (value := whole(self._text(file).strip())) is not None:
                sheet.gauge(f"{self._prefix}.{metric}", value, unit="{process}", of=of)
        for resource in ("cpu", "memory", "io") if with_pressure else ():
            told = of | {"system.linux.pressure.resource": resource}
            text = self._text(f"{resource}.pressure")
            write_pressure(sheet, text, metric=f"{self._prefix}.pressure", of=told)

    def _cpu(self, sheet: Sheet, of: dict[str, str]) -> None:
        spent = dict(pairs(self._text("cpu.stat")))
        for key, mode in CPU.items():
            if key in spent:
                told = of | {"cpu.mode": mode}
                sheet.total(f"{self._prefix}.cpu.time", spent[key] * US, unit="s", of=told)
        if "nr_throttled" in spent:
            metric = f"{self._prefix}.cpu.throttled"
            sheet.total(f"{metric}.periods", spent["nr_throttled"], unit="{period}", of=of)
            sheet.total(f"{metric}.time", spent["throttled_usec"] * US, unit="s", of=of)
            periods = spent["nr_periods"]
            sheet.total(f"{self._prefix}.cpu.periods", periods, unit="{period}", of=of)
        quota = [*map(whole, self._text("cpu.max").split())]
        if len(quota) == 2 and quota[0] is not None and quota[1]:  # noqa: PLR2004 - of, per
            limit = quota[0] / quota[1]
            sheet.gauge(f"{self._prefix}.cpu.limit", limit, unit="{cpu}", of=of)

    def _memory(self, sheet: Sheet, of: dict[str, str]) -> None:
        sizes = {file: whole(self._text(file).strip()) for file in MEMORY}
        for file, metric in MEMORY.items():
            size = sizes[file]
            if size is not None:
                sheet.gauge(f"{self._prefix}.{metric}", size, unit="By", of=of)
        used, limit = sizes["memory.current"], sizes["memory.max"]
        if used is not None and limit:
            sheet.gauge(f"{self._prefix}.memory.utilization", used / limit, of=of)
        for event, count in pairs(self._text("memory.events")):
            if event in EVENTS:
                told = of | {"system.linux.memory.event": event}
                sheet.total(f"{self._prefix}.memory.events", count, unit="{event}", of=told)

    def _disks(self, sheet: Sheet, of: dict[str, str]) -> None:
        sums: dict[str, int] = {}
        for line in self._text("io.stat").splitlines():
            for word in line.split()[1:]:
                key, _, value = word.partition("=")
                sums[key] = sums.get(key, 0) + (whole(value) or 0)
        for key, (metric, unit, way) in IO.items():
            if key in sums:
                told = of | {"disk.io.direction": way}
                sheet.total(f"{self._prefix}.{metric}", sums[key], unit=unit, of=told)

    def _text(self, file: str) -> str:
        # Groups come and go: a file that stays open would outlive its group.
        return self._kernel.text(f"{self._folder}/{file}", keep=False)
