"""What the agent itself costs."""

from __future__ import annotations

import os
import time

import msgspec

from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel
from ._process import TICK_S, Stat, read_stat, write_details
from ._sheet import Sheet, Totals

SECOND = 1_000_000_000


class ProcessSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`process.*` of the process that samples; a utilization of 1 is one processor."""

    details_every_s: float = 5.0
    """Time between two looks at its files, disk and switches."""
    _before: int = 0
    _details: Totals = msgspec.field(default_factory=Totals)
    _details_due: int = 0
    _began_s: float = 0.0

    def sample(self, now: int) -> list[Point]:
        """Processor and memory each time."""
        sheet = Sheet(now, self._totals)
        stat = read_stat(self.proc, os.getpid()) or _asked()
        self._began_s = self._began_s or time.time() - self._age_s(stat)
        passed_s = (now - self._before) / SECOND
        self._before = now
        for mode, spent in (("user", stat.user_s), ("system", stat.system_s)):
            of = {"cpu.mode": mode}
            growth = sheet.total("process.cpu.time", spent, unit="s", of=of)
            if growth is not None and passed_s > 0:
                sheet.gauge("process.cpu.utilization", growth / passed_s, of=of)
        sheet.gauge("process.memory.usage", stat.rss, unit="By")
        sheet.gauge("process.memory.virtual", stat.size, unit="By")
        sheet.gauge("process.uptime", time.time() - self._began_s, unit="s")
        return sheet.finish() + self._dearer(now, stat)

    def _age_s(self, stat: Stat) -> float:
        """How long it has run; the kernel counts that from the start of the machine."""
        up = self.text(f"{self.proc}/uptime", keep=False).split()
        if stat.started and up:
            return float(up[0]) - stat.started * TICK_S
        import psutil

        return time.time() - psutil.Process().create_time()

    def _dearer(self, now: int, stat: Stat) -> list[Point]:
        every = round(self.details_every_s * SECOND)
        if 0 < self._details_due - now <= every:
            return []
        self._details_due = now + every
        sheet = Sheet(now, self._details)
        write_details(sheet, stat, proc=self.proc, of={})
        return sheet.finish()


def _asked() -> Stat:
    """The same of psutil, where there is no `/proc`."""
    import psutil

    process = psutil.Process()
    with process.oneshot():
        times, memory = process.cpu_times(), process.memory_info()
        return Stat(
            pid=process.pid,
            name=process.name(),
            state="R",
            user_s=times.user,
            system_s=times.system,
            threads=process.num_threads(),
            started=0,
            size=memory.vms,
            rss=memory.rss,
        )
