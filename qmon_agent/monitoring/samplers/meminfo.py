"""Everything else the kernel says of memory: slabs, huge pages, page tables and the like."""

from __future__ import annotations

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel, snake, whole
from ._sheet import Sheet
from .memory import KIB, LINUX

TOLD = {*LINUX, "MemTotal", "MemFree", "Buffers", "SwapTotal", "SwapFree"}


class MeminfoSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.linux.memory.*`, one metric for each line of `/proc/meminfo` not told by `memory`."""

    every_s: float = 10.0
    """Time between two looks."""

    def sample(self, now: int) -> list[Point]:
        """As they stand there; lines without a unit are numbers of pages."""
        sheet = Sheet(now, self._totals)
        for line in self.text(f"{self.proc}/meminfo").splitlines():
            name, _, rest = line.partition(":")
            words = rest.split()
            size = whole(words[0]) if words else None
            if size is None or name in TOLD:
                continue
            scale, unit = (KIB, "By") if words[-1] == "kB" else (1, "{page}")
            sheet.gauge(f"system.linux.memory.{snake(name)}", size * scale, unit=unit)
        if not sheet.is_written:
            raise NotHereError(f"{self.proc}/meminfo is not there")
        return sheet.finish()
