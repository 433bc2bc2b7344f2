"""Whether the processors keep up with what the network brings."""

from __future__ import annotations

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel
from ._sheet import Sheet

COLUMNS = {"processed": 0, "dropped": 1, "squeezed": 2}


class SoftnetSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.linux.softnet.*`: packets taken, dropped for a full backlog, and left for later."""

    def sample(self, now: int) -> list[Point]:
        """All processors added up; their numbers are hexadecimal."""
        sheet = Sheet(now, self._totals)
        lines = [line.split() for line in self.text(f"{self.proc}/net/softnet_stat").splitlines()]
        if not lines:
            raise NotHereError(f"{self.proc}/net/softnet_stat is not there")
        for name, column in COLUMNS.items():
            total = sum(int(words[column], 16) for words in lines)
            sheet.total(f"system.linux.softnet.{name}", total, unit="{packet}")
        return sheet.finish()
