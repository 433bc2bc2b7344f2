"""Which processes use most: all of them cheaply and seldom, the largest of them closely."""

from __future__ import annotations

import time
from collections import Counter

import msgspec

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel
from ._process import Stat, pids_in, read_stat, write_details
from ._sheet import Sheet, Totals

SECOND = 1_000_000_000
STATES = {
    "R": "running",
    "S": "sleeping",
    "D": "blocked",
    "Z": "zombie",
    "T": "stopped",
    "t": "stopped",
    "I": "idle",
}


class ProcessesSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`process.*` of the processes with most processor time and memory, `system.process.count`.

    A pass over all of them comes as often as `share` of a core allows, so that ten thousand cost
    no more than a hundred; between two passes only the largest are read.
    """

    every_s: float = 2.0
    """Time between two looks at the largest."""
    top: int = 5
    """How many are told by processor time, and how many by memory."""
    share: float = 0.0005
    """How much of a core looking through all processes may take."""
    details_every_s: float = 10.0
    """Time between two looks at files, disk and switches of the largest."""
    _spent: dict[tuple[int, int], float] = msgspec.field(default_factory=dict)
    _looked: int = 0
    _pass_due: int = 0
    _details_due: int = 0
    _largest: tuple[Stat, ...] = ()
    _counted: tuple[Counter[str], int] = msgspec.field(default_factory=lambda: (Counter(), 0))
    _details: Totals = msgspec.field(default_factory=Totals)
    _written: int = 0

    def sample(self, now: int) -> list[Point]:
        """The largest of the last pass, and a pass if it is time for one."""
        sheet = Sheet(now, self._totals)
        if now >= self._pass_due or now < self._looked:
            self._pass(now)
            self._write_states(sheet)
        else:
            again = (read_stat(self.proc, each.pid) for each in self._largest)
            began = {each.pid: each.started for each in self._largest}
            self._largest = tuple(it for it in again if it and it.started == began[it.pid])
        self._write_largest(sheet, now)
        points = sheet.finish()
        every = round(self.details_every_s * SECOND)
        if not 0 < self._details_due - now <= every:
            self._details_due = now + every
            points += self._write_details(now)
        return points

    def _pass(self, now: int) -> None:
        begun = time.thread_time_ns()
        found = [stat for pid in pids_in(self.proc) if (stat := read_stat(self.proc, pid))]
        if not found:
            raise NotHereError("no process is to be seen")
        before, self._spent = self._spent, {(it.pid, it.started): it.cpu_s for it in found}
        grown = {it.pid: _growth(it, before) for it in found}
        by_cpu = sorted(found, key=lambda it: grown[it.pid], reverse=True)[: self.top]
        by_size = sorted(found, key=lambda it: it.rss, reverse=True)[: self.top]
        self._largest = tuple({it.pid: it for it in (*by_cpu, *by_size)}.values())
        states = Counter(STATES.get(it.state, "other") for it in found)
        self._counted = states, sum(it.threads for it in found)
        self._looked = now
        took = time.thread_time_ns() - begun
        self._pass_due = now + max(SECOND // 2, round(took / max(self.share, 1e-6)))

    def _write_states(self, sheet: Sheet) -> None:
        states, threads = self._counted
        for state in dict.fromkeys(STATES.values()):
            of = {"process.state": state}
            sheet.gauge("system.process.count", states[state], unit="{process}", of=of)
        sheet.gauge("system.linux.process.threads", threads, unit="{thread}")

    def _write_largest(self, sheet: Sheet, now: int) -> None:
        passed_s = (now - self._written) / SECOND
        self._written = now
        for stat in self._largest:
            of = _named(stat)
            growth = sheet.total("process.cpu.time", stat.cpu_s, unit="s", of=of)
            if growth is not None and passed_s > 0:
                sheet.gauge("process.cpu.utilization", growth / passed_s, of=of)
            sheet.gauge("process.memory.usage", stat.rss, unit="By", of=of)

    def _write_details(self, now: int) -> list[Point]:
        sheet = Sheet(now, self._details)
        for stat in self._largest:
            write_details(sheet, stat, proc=self.proc, of=_named(stat))
        return sheet.finish()


def _growth(stat: Stat, before: dict[tuple[int, int], float]) -> float:
    """Who is new has grown by all it spent; at the first pass nobody is new."""
    return stat.cpu_s - before.get((stat.pid, stat.started), 0.0 if before else stat.cpu_s)


def _named(stat: Stat) -> dict[str, str]:
    return {"process.pid": str(stat.pid), "process.executable.name": stat.name}
