"""Where the processors spend their time, all together and each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import msgspec

from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel, whole
from ._sheet import Sheet

FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""The columns of `/proc/stat` in their order; guest time is in user time already."""
MODES = {
    "user": ("user",),
    "system": ("system",),
    "nice": ("nice",),
    "idle": ("idle",),
    "iowait": ("iowait",),
    "interrupt": ("irq", "softirq", "interrupt", "dpc"),
    "steal": ("steal",),
}
"""OpenTelemetry's `cpu.mode` → the fields of the kernel, and psutil's elsewhere."""
RESTING = ("idle", "iowait")
GUEST = 9  # the column of guest time
COUNTS = {
    "ctxt": ("system.linux.context_switches", "{context_switch}"),
    "intr": ("system.linux.interrupts", "{interrupt}"),
    "softirq": ("system.linux.softirqs", "{interrupt}"),
    "processes": ("system.process.created", "{process}"),
}
STATES = {"procs_running": "running", "procs_blocked": "blocked"}
Times = Mapping[str, float]


class CpuSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.cpu.*` by mode, `system.cpu.logical.*` of each, switches and interrupts."""

    max_cores: int = 128
    """The most processors that are told apart."""
    _tick_s: float = msgspec.field(default_factory=lambda: 1 / os.sysconf("SC_CLK_TCK"))

    def sample(self, now: int) -> list[Point]:
        """All processors added up, then each."""
        sheet = Sheet(now, self._totals)
        stat = self.text(f"{self.proc}/stat")
        together, cores = self._read(stat) if stat else _asked()
        _write_together(sheet, together)
        for number, times in list(cores.items())[: self.max_cores]:
            _write_core(sheet, number, times)
        _write_counts(sheet, stat, self._tick_s)
        return sheet.finish()

    def _read(self, stat: str) -> tuple[Times, dict[str, Times]]:
        found = {
            line.split(" ", 1)[0]: {
                field: int(ticks) * self._tick_s
                for field, ticks in zip(FIELDS, line.split()[1:], strict=False)
            }
            for line in stat[: stat.find("intr")].splitlines()
            if line.startswith("cpu")
        }
        together = found.pop("cpu", {})
        return together, {name.removeprefix("cpu"): times for name, times in found.items()}


def _asked() -> tuple[Times, dict[str, Times]]:
    """The same of psutil, where there is no such file."""
    import psutil

    cores: dict[str, Times] = {
        str(n): each._asdict() for n, each in enumerate(psutil.cpu_times(percpu=True))
    }
    return psutil.cpu_times()._asdict(), cores


def _modes(times: Times) -> Iterator[tuple[str, float]]:
    for mode, fields in MODES.items():
        if present := [times[field] for field in fields if field in times]:
            yield mode, sum(present)


def _write_together(sheet: Sheet, times: Times) -> None:
    grown = {
        mode: sheet.total("system.cpu.time", spent, unit="s", of={"cpu.mode": mode})
        for mode, spent in _modes(times)
    }
    whole_s = sum(growth or 0.0 for growth in grown.values())
    for mode, growth in grown.items():
        if growth is not None and whole_s > 0:
            sheet.gauge("system.cpu.utilization", growth / whole_s, of={"cpu.mode": mode})


def _write_core(sheet: Sheet, number: str, times: Times) -> None:
    passed_s = busy_s = 0.0
    for mode, spent in _modes(times):
        of = {"cpu.logical_number": number, "cpu.mode": mode}
        growth = sheet.total("system.cpu.logical.time", spent, unit="s", of=of) or 0.0
        passed_s += growth
        busy_s += 0.0 if mode in RESTING else growth
    if passed_s > 0:
        of = {"cpu.logical_number": number}
        sheet.gauge("system.cpu.logical.utilization", busy_s / passed_s, of=of)


def _write_counts(sheet: Sheet, stat: str, tick_s: float) -> None:
    for line in stat.splitlines():
        # The line of interrupts has thousands of numbers, of which the first is their sum.
        name, *words = line.split(None, GUEST + 1)[: GUEST + 1]
        value = whole(words[0]) if words else None
        if value is None:
            continue
        if name == "cpu" and len(words) == GUEST:
            sheet.total("system.linux.cpu.guest_time", int(words[-1]) * tick_s, unit="s")
        elif name in COUNTS:
            metric, unit = COUNTS[name]
            sheet.total(metric, value, unit=unit)
        elif name in STATES:
            of = {"process.state": STATES[name]}
            sheet.gauge("system.linux.process.runnable", value, unit="{process}", of=of)
