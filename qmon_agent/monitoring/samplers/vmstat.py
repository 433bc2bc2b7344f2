"""Everything else the kernel counts of its virtual memory."""

from __future__ import annotations

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel, pairs
from ._sheet import Sheet
from .paging import KEYS


class VmstatSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.linux.vmstat.*`, one metric for each line of `/proc/vmstat` not told by `paging`."""

    every_s: float = 10.0
    """Time between two looks."""

    def sample(self, now: int) -> list[Point]:
        """Numbers of pages as they are, everything else by its growth."""
        sheet = Sheet(now, self._totals)
        for key, value in pairs(self.text(f"{self.proc}/vmstat")):
            if key in KEYS:
                continue
            metric = f"system.linux.vmstat.{key.lower()}"
            if key.startswith("nr_"):
                sheet.gauge(metric, value, unit="{page}")
            else:
                sheet.total(metric, value, unit="{event}")
        if not sheet.is_written:
            raise NotHereError(f"{self.proc}/vmstat is not there")
        return sheet.finish()
