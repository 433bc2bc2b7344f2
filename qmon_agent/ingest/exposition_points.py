"""What a scrape read, as points: counters by what they grew, histograms in buckets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf, isfinite, isnan
from time import time_ns
from typing import Any

import msgspec

from qmon_agent.ingest.exposition_text import Line
from qmon_agent.ingest.growth import Change, Growth, series_key
from qmon_agent.ingest.heaps import Heap, heap_below
from qmon_sdk.protocol.signals import NO_BUCKETS, Point

_SECOND = 1_000_000_000
_LATEST_S = 1 << 33  # beyond this a time is no time
_TO_COUNT = {"counter", "summary"}
_HEAPS = {"histogram", "gaugehistogram"}
_ENDINGS = ("_bucket", "_gcount", "_gsum", "_count", "_sum")

Key = tuple[Any, ...]
_made = tuple.__new__  # by place, as `columns.rows_of` does: names would cost as much as the rest


class TooManySamplesError(ValueError):
    """A target that tells more than it may."""


class Exposition:
    """Translates the scrapes of one target, one after the other."""

    def __init__(self, labels: Mapping[str, str], *, max_samples: int, began: int = 0) -> None:
        """`began`: since when we listen, now unless it is said; in nanoseconds since 1970."""
        self._growth = Growth(began=began or time_ns(), most=max_samples)
        self._changes: list[Change] = []
        self._labels = dict(labels)
        self._max = max_samples
        self._asked_before = False
        self.order = 0
        """What puts scrapes in order: the time, unless the clock was set back."""
        self.samples = 0
        """Of the last scrape."""

    def points(self, families: Iterable[Any], now: int) -> list[Point]:
        """Of families as `prometheus_client` or `TextReader` parse them; raises
        TooManySamplesError.
        """
        self.undo()
        self.order = max(now, self.order + 1)
        self.samples = 0
        return [point for family in families for point in self._family(family, now)]

    def commit(self) -> None:
        """The points are on disk: the next scrape goes on from here."""
        self._changes.clear()
        self._growth.forget()
        self._asked_before = True

    def undo(self) -> None:
        """They are not: what was found out comes again."""
        self._growth.take_back(self._changes)

    def restart(self) -> None:
        """The target was away: whatever it has is no longer known to be new."""
        self._asked_before = False

    def _family(self, family: Any, now: int) -> Iterator[Point]:
        self.samples += len(family.samples)
        if self.samples > self._max:
            raise TooManySamplesError(f"more than {self._max} samples")
        created = {
            _key(sample.labels): sample.value * _SECOND
            for sample in family.samples
            if type(sample) is not tuple
            and sample.name.endswith("_created")
            and family.type != "gauge"
            and 0 < sample.value < _LATEST_S
        }
        telling = _Telling(self, family, now=now, created=created)
        if family.type in _HEAPS:
            yield from telling.heaps()
        else:
            yield from telling.numbers()

    def grown(self, key: bytes, value: float, *, time: int, start: int) -> float | None:
        """Of a counter; one that was not there when the target was asked before is new."""
        return self._growth.of_number(
            key,
            value,
            changes=self._changes,
            time=time,
            start=start,
            is_new=self._asked_before,
        )

    def heap_grown(self, key: Key, heap: Heap, **told: int) -> Heap | None:
        """The same of a histogram."""
        new = self._asked_before
        return self._growth.of_heap(key, heap, changes=self._changes, is_new=new, **told)

    def labelled(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Of a sample: those of the target go first, as in Prometheus without `honor_labels`."""
        mine = self._labels
        clash = {f"exported_{name}": value for name, value in labels.items() if name in mine}
        rest = {name: value for name, value in labels.items() if name not in mine}
        return {**rest, **clash, **mine}


class _Telling:
    """One family of one scrape."""

    def __init__(
        self, exposition: Exposition, family: Any, *, now: int, created: Mapping[Key, float]
    ) -> None:
        self._exposition = exposition
        self._family = family
        self._now = now
        self._created = created

    def numbers(self) -> Iterator[Point]:
        counting = self._family.type in _TO_COUNT
        for sample in self._family.samples:
            if type(sample) is tuple:
                yield from self._told(*sample, counts=counting)
            elif not (counting and sample.name.endswith("_created")):
                yield from self._number(sample)

    def _told(self, line: Line, value: float, *, counts: bool) -> Iterator[Point]:
        """A sample that says no time, of a family that says nothing of when it began."""
        counts = counts and "quantile" not in line.labels
        if counts:
            grown = self._exposition.grown(line.key, value, time=self._exposition.order, start=0)
            value = inf if grown is None else grown
        if isfinite(value):
            kind = "counter" if counts else "gauge"
            row = (
                self._now, line.name, kind, value, self._family.unit, 1, 0.0, 0.0, NO_BUCKETS,
                line.attributes,
            )  # fmt: skip
            yield _made(Point, row)  # type: ignore[type-var]

    def _number(self, sample: Any) -> Iterator[Point]:
        counts = self._family.type in _TO_COUNT and "quantile" not in sample.labels
        time, value = self._time(sample), float(sample.value)
        if counts:
            key = series_key({**sample.labels, "__name__": sample.name})
            start = self._created_of(sample)
            order = self._order(sample)
            grown = self._exposition.grown(key, value, time=order, start=start)
            value = inf if grown is None else grown
        if isfinite(value):
            yield Point(
                time=time,
                metric=sample.name,
                kind="counter" if counts else "gauge",
                value=value,
                unit=self._family.unit,
                attributes=self._exposition.labelled(sample.labels),
            )

    def heaps(self) -> Iterator[Point]:
        """One point for each set of labels, `le` apart."""
        gathered: dict[Key, _Gathered] = {}
        for sample in self._family.samples:
            if type(sample) is tuple:
                line, value = sample
                sample = _Sample(line.name, line.labels, value)  # noqa: PLW2901 - as theirs
            if sample.name.endswith(_ENDINGS):
                gathered.setdefault(_key(sample.labels), _Gathered()).add(sample)
        for key, one in gathered.items():
            yield from self._heap(key, one)

    def _heap(self, key: Key, one: _Gathered) -> Iterator[Point]:
        time = self._time(one.sample)
        heap: Heap | None = heap_below(one.below, one.total)
        if heap and self._family.type != "gaugehistogram":  # that tells what there is now
            start, order = self._created_of(one.sample), self._order(one.sample)
            heap = self._exposition.heap_grown(
                (self._family.name, *key), heap, time=order, start=start
            )
        if heap and heap.count:
            yield heap.point(
                time=time,
                metric=self._family.name,
                unit=self._family.unit,
                attributes=self._exposition.labelled(dict(key)),
            )

    def _created_of(self, sample: Any) -> int:
        return int(self._created.get(_key(sample.labels), 0))

    def _time(self, sample: Any) -> int:
        return _told_time(sample) or self._now

    def _order(self, sample: Any) -> int:
        """A sample that tells no time is newer than those of the scrapes before."""
        return _told_time(sample) or self._exposition.order


class _Sample(msgspec.Struct):
    """As those of `prometheus_client`."""

    name: str
    labels: dict[str, str]
    value: float
    timestamp: float | None = None


class _Gathered(msgspec.Struct):
    """The samples of one histogram."""

    sample: Any = None
    below: dict[float, float] = {}
    total: float = 0.0

    def add(self, sample: Any) -> None:
        self.sample = self.sample or sample
        value = float(sample.value)
        if not isfinite(value):
            return
        if "le" in sample.labels:
            bound = bound_of(sample.labels["le"])
            if bound is not None:
                self.below[bound] = value
        elif sample.name.endswith("sum"):
            self.total = value
        else:
            self.below.setdefault(inf, value)


def bound_of(text: str) -> float | None:
    """The upper bound that a label `le` says, if it says one."""
    try:
        bound = float(text)
    except ValueError:
        return None
    return None if isnan(bound) else bound


def _told_time(sample: Any) -> int:
    """The time a sample itself tells; 0 if it tells none."""
    told = sample.timestamp
    if told is None or not 0 < float(told) < _LATEST_S:
        return 0
    return int(float(told) * _SECOND)


def _key(labels: Mapping[str, str]) -> Key:
    return tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
