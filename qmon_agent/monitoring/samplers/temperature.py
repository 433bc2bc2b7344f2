"""How warm the machine is, how fast its fans turn, and what its sensors measure besides."""

from __future__ import annotations

from pathlib import Path

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel, entries, whole
from ._sheet import Sheet

KINDS = {
    "temp": ("hw.temperature", "Cel", 1e-3),
    "fan": ("hw.fan.speed", "rpm", 1.0),
    "in": ("hw.voltage", "V", 1e-3),
    "power": ("hw.power", "W", 1e-6),
    "curr": ("hw.current", "A", 1e-3),
}
"""How sensors' files begin → metric, unit, and what to multiply them by."""


class TemperatureSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`hw.temperature`, `hw.fan.speed`, `hw.voltage`, `hw.power` by chip and sensor."""

    every_s: float = 10.0
    """Time between two looks: sensors are slow to ask."""
    max_sensors: int = 64
    """The most sensors that are told apart."""

    def sample(self, now: int) -> list[Point]:
        """Chips first; thermal zones where there are none."""
        sheet = Sheet(now, self._totals)
        for chip in entries(f"{self.sys}/class/hwmon", self.max_sensors):
            self._chip(sheet, chip)
        if not sheet.points:
            self._zones(sheet)
        if not sheet.points:
            raise NotHereError("no sensor is to be seen")
        return sheet.finish()

    def _chip(self, sheet: Sheet, chip: Path) -> None:
        name = self.text(f"{chip}/name").strip() or chip.name
        for file in entries(str(chip), 16 * self.max_sensors):
            sensor = file.name.removesuffix("_input")
            kind = KINDS.get(sensor.rstrip("0123456789"))
            if sensor == file.name or kind is None or len(sheet.points) >= self.max_sensors:
                continue
            if (value := whole(self.text(str(file)).strip())) is None:
                continue
            metric, unit, scale = kind
            label = self.text(f"{chip}/{sensor}_label").strip() or sensor
            of = {"hw.id": f"{chip.name}/{sensor}", "hw.name": label, "hw.parent": name}
            sheet.gauge(metric, value * scale, unit=unit, of=of)

    def _zones(self, sheet: Sheet) -> None:
        for zone in entries(f"{self.sys}/class/thermal", self.max_sensors):
            value = whole(self.text(f"{zone}/temp").strip())
            if value is not None:
                of = {"hw.id": zone.name, "hw.name": self.text(f"{zone}/type").strip()}
                sheet.gauge("hw.temperature", value * 1e-3, unit="Cel", of=of)
