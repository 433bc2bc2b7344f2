"""Numbers folded over an interval: one point per series, and no more series than a bound."""

from __future__ import annotations

from collections.abc import Hashable
from hashlib import blake2b
from typing import Literal

import msgspec

from qmon_sdk.protocol.buckets import bucket_of
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import NO_BUCKETS, Labels, Point

_SECOND = 1_000_000_000

OVERFLOW: Labels = {"otel.metric.overflow": "true"}
"""What the series of a metric has that takes what there is no room for."""
Gauges = Literal["last", "mean", "min", "max", "sum"]
"""What becomes of several readings of a gauge."""


class Shape(msgspec.Struct, frozen=True, gc=False):
    """What all points of a series have in common, but for its attributes."""

    metric: str
    kind: str
    unit: str


class Fold:
    """What one series adds up to."""

    __slots__ = ("attributes", "buckets", "count", "last", "maximum", "minimum", "rows", "shape",
                 "sum")  # fmt: skip

    def __init__(self, shape: Shape, attributes: Labels) -> None:
        self.shape = shape
        self.attributes = attributes
        self.sum = self.last = 0.0
        self.minimum, self.maximum = float("inf"), float("-inf")
        self.count = self.rows = 0
        self.buckets: dict[int, int] = {}

    def observe(self, value: float, times: int = 1) -> None:
        """A value of a distribution."""
        self.sum += value * times
        self.count += times
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)
        index = bucket_of(value)
        self.buckets[index] = self.buckets.get(index, 0) + times

    def add(self, point: Point) -> None:
        """A point of this series."""
        self.sum += point.value
        self.last = point.value
        self.count += point.count
        self.rows += 1
        is_many = point.kind == "distribution"
        self.minimum = min(self.minimum, point.minimum if is_many else point.value)
        self.maximum = max(self.maximum, point.maximum if is_many else point.value)
        for index, n in point.buckets.items():
            self.buckets[index] = self.buckets.get(index, 0) + n

    def point(self, time: int, gauges: Gauges) -> Point:
        """All of it."""
        metric, kind, unit = self.shape.metric, self.shape.kind, self.shape.unit
        is_many = kind == "distribution"
        return Point(
            time=time,
            metric=metric,
            kind=kind,
            value=self._reading(gauges) if kind == "gauge" else self.sum,
            unit=unit,
            count=1 if kind == "gauge" else max(self.count, 1),
            minimum=self.minimum if is_many else 0.0,
            maximum=self.maximum if is_many else 0.0,
            buckets=self.buckets or NO_BUCKETS,
            attributes=self.attributes,
        )

    def _reading(self, gauges: Gauges) -> float:
        if gauges == "mean":
            return self.sum / self.rows
        chosen = {"last": self.last, "min": self.minimum, "max": self.maximum, "sum": self.sum}
        return chosen[gauges]


class Window:
    """The series of one speaker in one interval, each found by a key of its maker's."""

    __slots__ = ("first_record", "folds", "resource", "start")

    def __init__(self, resource: Resource, *, start: int, first_record: int) -> None:
        self.resource = resource
        self.start = start
        self.first_record = first_record
        self.folds: dict[Hashable, Fold] = {}

    @property
    def name(self) -> bytes:
        """The same for the same interval of the same speaker, whenever it is made."""
        whose = repr(_identity(self.resource)).encode("utf-8", "replace")
        return b"%d/%s" % (self.start, blake2b(whose, digest_size=16).digest())


class Windows:
    """Side by side on the clock, all of `every_s`, until they are over.

    What comes for one that is over goes into the oldest that is not.
    """

    def __init__(self, every_s: float, *, max_series: int) -> None:
        self._every = max(int(every_s * _SECOND), 1)
        self._max_series = max_series
        self._open: dict[int, dict[Hashable, Window]] = {}
        self._over_until = 0
        self.series = 0
        """How many there are now."""

    @property
    def holds(self) -> int | None:
        """The oldest record that is in one."""
        firsts = [w.first_record for group in self._open.values() for w in group.values()]
        return min(firsts, default=None)

    def at(self, time: int, resource: Resource, *, record_id: int) -> Window:
        """Where to put what somebody told in a record that arrived then."""
        start = max(time - time % self._every, self._over_until)
        group = self._open.setdefault(start, {})
        key = _identity(resource)
        window = group.get(key)
        if window is None:
            window = group[key] = Window(resource, start=start, first_record=record_id)
        return window

    def fold(
        self, window: Window, key: Hashable, *, shape: Shape, attributes: Labels, at_all: bool
    ) -> Fold | None:
        """The series of this key; none where there is no room for one more, unless `at_all`."""
        found = window.folds.get(key)
        if found is None and (at_all or self.series < self._max_series):
            found = window.folds[key] = Fold(shape, attributes)
            self.series += 1
        return found

    def due(self, now: int) -> list[Window]:
        """Those that were over at `now`, the oldest first."""
        over: list[Window] = []
        for start in sorted(start for start in self._open if start + self._every <= now):
            over += self._open.pop(start).values()
            self._over_until = max(self._over_until, start + self._every)
        self.series -= sum(len(window.folds) for window in over)
        return over

    def points(self, window: Window, gauges: Gauges = "last") -> list[Point]:
        """What became of it, dated with its end."""
        end = window.start + self._every
        return [fold.point(end, gauges) for fold in window.folds.values()]


def _identity(resource: Resource) -> Hashable:
    return (*resource[:-1], tuple(sorted(resource.attributes.items())))
