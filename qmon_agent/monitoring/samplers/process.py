"""What the agent itself costs."""

from __future__ import annotations

import msgspec
import psutil

from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel
from ._process import read_stat, write_details
from ._sheet import Sheet

SECOND = 1_000_000_000


class ProcessSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`process.*` of the process that samples; a utilization of 1 is one processor."""

    _process: psutil.Process = msgspec.field(default_factory=psutil.Process)
    _before: int = 0

    def sample(self, now: int) -> list[Point]:
        """Everything in one reading of the process."""
        sheet = Sheet(now, self._totals)
        with self._process.oneshot():
            self._cpu(sheet, now)
            memory = self._process.memory_info()
            sheet.gauge("process.memory.usage", memory.rss, unit="By")
            sheet.gauge("process.memory.virtual", memory.vms, unit="By")
            self._details(sheet)
            sheet.gauge("process.uptime", now / SECOND - self._process.create_time(), unit="s")
        return sheet.finish()

    def _cpu(self, sheet: Sheet, now: int) -> None:
        passed_s = (now - self._before) / SECOND
        self._before = now
        times = self._process.cpu_times()
        for mode, spent in (("user", times.user), ("system", times.system)):
            of = {"cpu.mode": mode}
            growth = sheet.total("process.cpu.time", spent, unit="s", of=of)
            if growth is not None and passed_s > 0:
                sheet.gauge("process.cpu.utilization", growth / passed_s, of=of)

    def _details(self, sheet: Sheet) -> None:
        stat = read_stat(self.proc, self._process.pid)
        if stat is not None:
            write_details(sheet, stat, proc=self.proc, of={})
            return
        sheet.gauge("process.thread.count", self._process.num_threads(), unit="{thread}")
        files = self._process.num_fds()
        sheet.gauge("process.unix.file_descriptor.count", files, unit="{file_descriptor}")
        switches = self._process.num_ctx_switches()
        for kind in ("voluntary", "involuntary"):
            of = {"process.context_switch.type": kind}
            total = getattr(switches, kind)
            sheet.total("process.context_switches", total, unit="{context_switch}", of=of)
