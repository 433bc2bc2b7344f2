"""How many threads run or wait to run, as averages; for how long the machine has been up."""

from __future__ import annotations

import os
import time

from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel
from ._sheet import Sheet

SPANS = ("1m", "5m", "15m")


class LoadSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.cpu.load_average.*`, `system.cpu.logical.count` beside it, and `system.uptime`."""

    every_s: float = 5.0
    """Time between two looks: the kernel itself counts no more often."""

    def sample(self, now: int) -> list[Point]:
        """The three averages the kernel keeps."""
        sheet = Sheet(now, self._totals)
        for span, load in zip(SPANS, os.getloadavg(), strict=True):
            sheet.gauge(f"system.cpu.load_average.{span}", load, unit="{thread}")
        sheet.gauge("system.cpu.logical.count", os.cpu_count() or 1, unit="{cpu}")
        said = self.text(f"{self.proc}/uptime").split()
        up = float(said[0]) if said else _asked()
        sheet.gauge("system.uptime", up, unit="s")
        queue = self.text(f"{self.proc}/loadavg").split()
        if len(queue) > 3 and "/" in queue[3]:  # noqa: PLR2004 - behind the averages
            threads = int(queue[3].partition("/")[2])
            sheet.gauge("system.linux.threads.usage", threads, unit="{thread}")
        return sheet.finish()


def _asked() -> float:
    """How long the machine is up, by psutil, where there is no such file."""
    import psutil

    return time.time() - psutil.boot_time()
