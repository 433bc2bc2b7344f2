"""What one series of StatsD adds up to within an interval: values come in as they were written."""

from __future__ import annotations

from collections import Counter
from math import isfinite

from qmon_agent.ingest.statsd_lines import Meaning
from qmon_agent.ingest.uniques import Uniques
from qmon_sdk.protocol.buckets import bucket_of
from qmon_sdk.protocol.buckets import fold as fold_buckets
from qmon_sdk.protocol.signals import NO_BUCKETS, Point

_MOST = 1.7e308
_CROWDED = 1_024  # values a distribution holds before it folds them
LONGEST_SET_VALUE = 4_096


class Series:
    """A counter; the other kinds say what is different."""

    __slots__ = ("count", "idle", "labels", "meaning", "total")
    kind = "counter"

    def __init__(self, meaning: Meaning, labels: dict[str, str]) -> None:
        self.meaning = meaning
        self.labels = labels
        self.idle = 0
        self.begin()

    def begin(self) -> None:
        self.count = 0.0
        self.total = 0.0

    def add(self, text: bytes, weight: float) -> None:
        """Takes one value; ValueError, and nothing is changed, if it is no finite number."""
        self.total += number_of(text) * weight
        self.count += weight

    def drain(self, now: int) -> Point | None:
        """What was added since the last time, if anything was, and if it is a number."""
        if not self.count:
            self.idle += 1
            return None
        self.idle = 0
        point = self.point(self.meaning.time or now)
        self.begin()
        return point if isfinite(point.value) else None

    def point(self, time: int) -> Point:
        return Point(
            time=time,
            metric=self.meaning.metric,
            kind=self.kind,
            value=self.total,
            unit=self.meaning.unit,
            count=max(1, round(min(self.count, _MOST))),
            attributes=self.labels,
        )


class GaugeSeries(Series):
    """The last value; a sign is a difference where the series was told so."""

    __slots__ = ()
    kind = "gauge"

    def __init__(self, meaning: Meaning, labels: dict[str, str]) -> None:
        super().__init__(meaning, labels)
        self.total = 0.0

    def begin(self) -> None:
        self.count = 0.0

    def add(self, text: bytes, weight: float) -> None:
        self.total = number_of(text)
        self.count += weight

    def add_signed(self, text: bytes, weight: float) -> None:
        value = number_of(text)
        moved = self.total + value if text[:1] in {b"+", b"-"} else value
        if not isfinite(moved):
            raise ValueError(text)
        self.total = moved
        self.count += weight


class DistributionSeries(Series):
    """Buckets of values, each as often as its sample rate says."""

    __slots__ = ("_carry", "_folded", "_values", "maximum", "minimum")
    kind = "distribution"

    def begin(self) -> None:
        super().begin()
        self._values: list[float] = []
        self._folded: dict[int, int] = NO_BUCKETS
        self._carry = 0.0
        self.minimum = _MOST
        self.maximum = -_MOST

    def add(self, text: bytes, weight: float) -> None:
        value = number_of(text)
        if weight != 1.0:
            # 1/0.3 is no whole number: what is left over is carried, so that sums come out right.
            self._carry += weight - (whole := int(weight + self._carry))
            self._fold({bucket_of(value): whole} if whole else {}, value, value)
            self.count += whole
            self.total += value * weight
            return
        self._values.append(value)
        self.count += 1
        if len(self._values) > _CROWDED:
            self._fold_values()

    def point(self, time: int) -> Point:
        self._fold_values()
        return (
            super()
            .point(time)
            .replace(
                minimum=self.minimum,
                maximum=self.maximum,
                buckets=self._folded,
            )
        )

    def _fold_values(self) -> None:
        values = self._values
        if values:
            self.total += sum(values)
            self._fold(dict(Counter(map(bucket_of, values))), min(values), max(values))
            self._values = []

    def _fold(self, buckets: dict[int, int], minimum: float, maximum: float) -> None:
        self._folded = fold_buckets([self._folded, buckets])
        self.minimum = min(self.minimum, minimum)
        self.maximum = max(self.maximum, maximum)


class SetSeries(Series):
    """How many different values there were: a gauge."""

    __slots__ = ("_uniques",)
    kind = "gauge"

    def begin(self) -> None:
        super().begin()
        self._uniques = Uniques()

    def add(self, text: bytes, weight: float) -> None:
        if not text or len(text) > LONGEST_SET_VALUE or b":" in text:
            raise ValueError(text)
        self._uniques.add(text)
        self.count += weight

    def point(self, time: int) -> Point:
        return super().point(time).replace(value=self._uniques.count())


SERIES = {
    "counter": Series,
    "gauge": GaugeSeries,
    "distribution": DistributionSeries,
    "set": SetSeries,
}


def number_of(text: bytes) -> float:
    """A finite number as it was written; raises ValueError."""
    value = float(text)
    # Python's own way of writing 1_000 is nobody else's.
    if not -_MOST < value < _MOST or b"_" in text:
        raise ValueError(text)
    return value
