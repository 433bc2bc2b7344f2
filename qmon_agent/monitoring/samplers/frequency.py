"""How fast the processors run, and how often heat slowed them."""

from __future__ import annotations

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel, entries, whole
from ._sheet import Sheet

KHZ = 1000
THROTTLED = {"core_throttle_count": "core", "package_throttle_count": "package"}


class FrequencySampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.cpu.frequency` of each, `system.linux.cpu.throttles` where it is counted."""

    every_s: float = 10.0
    """Time between two looks."""
    max_cores: int = 128
    """The most processors that are told apart."""

    def sample(self, now: int) -> list[Point]:
        """Every processor that says; virtual ones mostly do not."""
        sheet = Sheet(now, self._totals)
        for folder in entries(f"{self.sys}/devices/system/cpu", 4 * self.max_cores):
            number = folder.name.removeprefix("cpu")
            if number.isdigit():
                self._core(sheet, str(folder), {"cpu.logical_number": number})
        if not sheet.is_written:
            raise NotHereError("no processor tells its frequency")
        return sheet.finish()

    def _core(self, sheet: Sheet, folder: str, of: dict[str, str]) -> None:
        if (khz := whole(self.text(f"{folder}/cpufreq/scaling_cur_freq").strip())) is not None:
            sheet.gauge("system.cpu.frequency", khz * KHZ, unit="Hz", of=of)
        for file, level in THROTTLED.items():
            count = whole(self.text(f"{folder}/thermal_throttle/{file}").strip())
            if count is not None:
                told = of | {"system.cpu.throttle.level": level}
                sheet.total("system.linux.cpu.throttles", count, unit="{throttle}", of=told)
