"""How much time is lost by waiting for processors, memory and disks: pressure stall information."""

from __future__ import annotations

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel
from ._pressure import write_pressure
from ._sheet import Sheet

RESOURCES = ("cpu", "memory", "io", "irq")


class PressureSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.linux.pressure.*`: shares of time in which some, or all, work stood still."""

    def sample(self, now: int) -> list[Point]:
        """Each resource the kernel keeps account of."""
        sheet = Sheet(now, self._totals)
        for resource in RESOURCES:
            text = self.text(f"{self.proc}/pressure/{resource}")
            of = {"system.linux.pressure.resource": resource}
            write_pressure(sheet, text, metric="system.linux.pressure", of=of)
        if not sheet.is_written:
            raise NotHereError("this kernel keeps no account of pressure")
        return sheet.finish()
