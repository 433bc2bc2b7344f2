"""Reads the present value of a system's metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from qmon_agent.domain.catalog import Analytics, Metric, MonitoringSystem

from .latest import Reading


class Readings(Protocol):
    """Where present values come from."""

    def latest(self, system: str, metrics: Sequence[str]) -> Mapping[str, Reading]:
        """The readings there are; a metric without one is left out."""
        ...


class MetricCollector:
    """Turns readings into values of the catalog's metrics."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self, system: MonitoringSystem, metrics: Sequence[Metric]) -> list[Analytics]:
        """One value for each metric that has a finite reading."""
        readings = self._readings.latest(system.name, [metric.name for metric in metrics])
        found = ((metric, readings.get(metric.name)) for metric in metrics)
        return [
            Analytics(metric=metric.id, value=reading.value, timestamp=reading.timestamp)
            for metric, reading in found
            if reading is not None and math.isfinite(reading.value)
        ]
