"""The latest value of every metric, in memory, fed by whatever arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from qmon_agent.domain.point_columns import facts_of
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.signals import Point

LIMIT = 50_000


class Reading(msgspec.Struct, frozen=True):
    """A value and the moment it was true."""

    value: float
    timestamp: int


def _total(before: Reading | None, value: float, _count: int) -> float:
    return value + (before.value if before else 0.0)


def _mean(_before: Reading | None, value: float, count: int) -> float:
    return value / count if count else value


FOLD: dict[str, Callable[[Reading | None, float, int], float]] = {
    "counter": _total,
    "distribution": _mean,
}
"""A gauge is its last value, a counter its sum since the start, a distribution its last mean."""


class LatestValues:
    """One reading per service and metric, at most `limit` of them; the rest is counted."""

    def __init__(self, *, vitals: Vitals | None = None, limit: int = LIMIT) -> None:
        self._vitals = vitals or Vitals()
        self._limit = limit
        self._readings: dict[tuple[str, str], Reading] = {}

    def note(self, service: str, points: Iterable[Point]) -> None:
        """Take the points of one batch."""
        readings = self._readings
        for metric, kind, value, count, time in facts_of(points):
            key = (service, metric)
            before = readings.get(key)
            if before is None and len(readings) >= self._limit:
                self._vitals.add("latest_values_overflow")
                continue
            fold = FOLD.get(kind)
            readings[key] = Reading(fold(before, value, count) if fold else value, time)

    def where(self, is_wanted: Callable[[str], bool]) -> list[tuple[str, str, Reading]]:
        """System, metric and reading of the metrics that are wanted."""
        return [
            (system, metric, reading)
            for (system, metric), reading in [*self._readings.items()]
            if is_wanted(metric)
        ]

    def latest(self, system: str, metrics: Sequence[str]) -> Mapping[str, Reading]:
        """The readings there are of these metrics."""
        found = ((name, self._readings.get((system, name))) for name in metrics)
        return {name: reading for name, reading in found if reading is not None}
