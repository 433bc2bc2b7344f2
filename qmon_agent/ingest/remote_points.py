"""What remote write tells, as points: counters by what they grew, histograms put together again.

A classic histogram comes as a series for each of its buckets, perhaps in several messages. It is
told when everything that came with it the last time has come with the same time again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf, isfinite
from struct import pack
from time import time_ns
from typing import Any

import msgspec

from qmon_agent.ingest.exposition_points import bound_of
from qmon_agent.ingest.growth import Change, Growth, series_key
from qmon_agent.ingest.heaps import Heap, heap_below
from qmon_agent.ingest.native_histograms import BEGAN_AGAIN, IS_GAUGE, NativeError, heap_of
from qmon_agent.ingest.remote_series import Message, Series
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import NO_BUCKETS, Point

_STALE = bytes.fromhex("7ff0000000000002")
_MILLI = 1_000_000
_LATEST_MS = 1 << 43
_TO_COUNT = {"counter", "summary"}
_COUNTING_ENDINGS = ("_total", "_count", "_sum", "_bucket")
_PART_ENDINGS = ("_bucket", "_count", "_sum")
_MOST_NAMES = 50_000
_PATIENCE = 3

_GAUGE, _COUNTER, _PART = 1, 2, 3
"""What the samples of a series are; of a part of a histogram, together with others."""
_made = tuple.__new__  # by place, as `columns.rows_of` does: names would cost as much as the rest


class Told(msgspec.Struct, kw_only=True):
    """What came of one message."""

    points: dict[str, list[Point]] = {}
    """By `job`, which is who speaks."""
    samples: int = 0
    histograms: int = 0
    exemplars: int = 0
    left_out: dict[str, int] = {}
    """What is no point, and why."""
    problems: list[str] = []

    def add(self, job: str, point: Point) -> None:
        points = self.points.get(job)
        if points is None:
            points = self.points[job] = []
        points.append(point)

    def leave_out(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1

    def resources(self) -> Iterator[tuple[Resource, list[Point]]]:
        for job, points in self.points.items():
            yield Resource(service=job or "prometheus", sdk="prometheus"), points


class _Assembly(msgspec.Struct, kw_only=True):
    """The parts of a classic histogram that have come with one time."""

    time: int
    members: dict[str, float]
    expected: frozenset[str] = frozenset()
    told: bool = False
    missed: int = 0
    """Times in a row that not everything came."""


class RemotePoints:
    """Translates messages one after the other; what it found out holds once it is committed."""

    def __init__(self, max_series: int, *, began: int = 0) -> None:
        """`began`: since when we listen, now unless it is said; in nanoseconds since 1970."""
        self._growth = Growth(began=began or time_ns(), most=max_series)
        self._changes: list[Change] = []
        self._max = max_series
        self._types: dict[str, str] = {}
        self._heap_names: set[str] = set()
        self._assemblies: dict[bytes, _Assembly] = {}
        self._ahead: dict[bytes, _Assembly] = {}
        """Copies, which become those when the message is kept."""
        self._era = 1
        """Counts what was learned of types and histograms: what series are read as hangs on it."""

    def __len__(self) -> int:
        return len(self._growth)

    def translate(self, message: Message) -> Told:
        self._growth.take_back(self._changes)
        self._ahead.clear()
        self._learn(message)
        told = Told(points={}, left_out={}, problems=[*message.problems])
        told.exemplars = message.exemplars
        for time, series, value, start in message.readings:
            if not 0 < time < _LATEST_MS:
                told.problems.append(f"a sample of the time {time}")
            elif type(value) is float:
                told.samples += 1
                self._take_sample(told, series, value, time, start)
            else:
                self._take_native(told, series, value, time=time, start=start)
        return told

    def commit(self) -> None:
        self._changes.clear()
        self._growth.forget()
        for key, assembly in self._ahead.items():
            self._assemblies.pop(key, None)
            self._assemblies[key] = assembly
        self._ahead.clear()
        while len(self._assemblies) > self._max:
            self._assemblies.pop(next(iter(self._assemblies)))

    def _learn(self, message: Message) -> None:
        """Types and histograms; before any sample is looked at, as those may come first."""
        if len(self._types) < _MOST_NAMES and not message.types.items() <= self._types.items():
            self._types.update(message.types)
            self._era += 1
        for _, series in message.fresh:
            base = series.name.removesuffix("_bucket")
            is_part = base != series.name and "le" in series.attributes
            if is_part and base not in self._heap_names and len(self._heap_names) < _MOST_NAMES:
                self._heap_names.add(base)
                self._era += 1

    def _take_sample(self, told: Told, series: Series, value: float, time: int, start: int) -> None:  # noqa: PLR0917 - of every sample
        read_as, era = series.is_read_as
        if era != self._era:
            read_as = self._look_at(series)
        if not isfinite(value):
            is_stale = pack(">d", value) == _STALE
            told.leave_out("stale" if is_stale else "not_finite")
        elif read_as == _GAUGE:
            told.add(series.job, _point(series, "gauge", value, time))
        elif read_as == _PART:
            self._take_part(told, series, value, time=time, start=start)
        else:
            grown = self._growth.of_number(
                series.key, value, changes=self._changes, time=time * _MILLI, start=start * _MILLI
            )
            if grown is None or not isfinite(grown):
                told.leave_out("first_of_its_series_or_known")
            else:
                told.add(series.job, _point(series, "counter", grown, time))

    def _look_at(self, series: Series) -> int:
        """What its samples are, as far as is known by now."""
        base = self._histogram_of(series)
        if base:
            read_as, series.key = _PART, _key_within(series.labels, base)
        elif self._counts(series):
            read_as, series.key = _COUNTER, series_key(series.labels)
        else:
            read_as, series.key = _GAUGE, b""
        series.is_read_as = (read_as, self._era)
        return read_as

    def _take_part(
        self, told: Told, series: Series, value: float, *, time: int, start: int
    ) -> None:
        key = series.key
        now = self._ahead.get(key)
        if now is None and key in self._assemblies:
            now = _copied(self._assemblies[key])
        if now is not None and time < now.time:
            told.leave_out("too_late")
            return
        if now is None or time > now.time:
            if now is not None and not now.expected:
                self._remember(key, now)
            now = _next(now, time)
        self._ahead[key] = now
        now.members[_part(series)] = value
        if now.told or not now.expected or not now.expected <= now.members.keys():
            return
        now.told = True
        when = {"time": time * _MILLI, "start": start * _MILLI}
        grown = self._growth.of_heap(key, _heap(now.members), changes=self._changes, **when)
        _tell(told, series, grown, metric=self._histogram_of(series), time=time)

    def _take_native(
        self, told: Told, series: Series, histogram: Any, *, time: int, start: int
    ) -> None:
        try:
            heap = heap_of(histogram)
        except NativeError as problem:
            told.problems.append(str(problem))
            return
        told.histograms += 1
        key = _key_within(series.labels, f"native {series.name}")
        if pack(">d", histogram.sum) == _STALE:
            told.leave_out("stale")
            return
        when = {"time": time * _MILLI, "start": start * _MILLI}
        if histogram.reset_hint == BEGAN_AGAIN:
            when["start"] = when["time"] - 1
        grown: Heap | None = heap
        if histogram.reset_hint != IS_GAUGE:
            grown = self._growth.of_heap(key, heap, changes=self._changes, **when)
        _tell(told, series, grown, metric=series.name, time=time)

    def _remember(self, key: bytes, assembly: _Assembly) -> None:
        """The first time of a histogram: what belongs to it is known only when the next begins."""
        time = assembly.time * _MILLI
        self._growth.of_heap(key, _heap(assembly.members), changes=self._changes, time=time)

    def _histogram_of(self, series: Series) -> str:
        """The histogram that a series is a part of, if it is."""
        name = series.name
        if not self._heap_names or not name.endswith(_PART_ENDINGS):
            return ""
        for ending in _PART_ENDINGS:
            base = name.removesuffix(ending)
            if base != name and base in self._heap_names:
                return base if ending != "_bucket" or "le" in series.attributes else ""
        return ""

    def _counts(self, series: Series) -> bool:
        name = series.name
        known = series.type or self._types.get(name, "")
        if not known and self._types:
            families = (name.removesuffix(ending) for ending in _COUNTING_ENDINGS)
            known = next((self._types[one] for one in families if one in self._types), "")
        if known == "summary":
            return "quantile" not in series.attributes
        return known in _TO_COUNT if known else name.endswith(_COUNTING_ENDINGS)


def _point(series: Series, kind: str, value: float, time: int) -> Point:  # noqa: PLR0917 - the same
    """One of a single number, by the places of its fields."""
    row = (
        time * _MILLI, series.name, kind, value, series.unit, 1, 0.0, 0.0, NO_BUCKETS,
        series.attributes,
    )  # fmt: skip
    return _made(Point, row)  # type: ignore[type-var]


def _tell(told: Told, series: Series, grown: Heap | None, *, metric: str, time: int) -> None:
    """A histogram's growth, if it is known and not nothing."""
    if grown is None:
        told.leave_out("first_of_its_series_or_known")
    elif grown.count:
        point = grown.point(
            time=time * _MILLI,
            metric=metric,
            unit=series.unit,
            attributes={k: v for k, v in series.attributes.items() if k != "le"},
        )
        told.add(series.job, point)


def _next(before: _Assembly | None, time: int) -> _Assembly:
    """What is expected is what came the last time, but for parts that are missing now and then."""
    if before is None:
        return _Assembly(time=time, members={})
    if before.told or not before.expected or before.missed >= _PATIENCE:
        return _Assembly(time=time, members={}, expected=frozenset(before.members))
    missed = before.missed + 1
    return _Assembly(time=time, members={}, expected=before.expected, missed=missed)


def _copied(assembly: _Assembly) -> _Assembly:
    return _Assembly(
        time=assembly.time,
        members=dict(assembly.members),
        expected=assembly.expected,
        told=assembly.told,
        missed=assembly.missed,
    )


def _key_within(labels: Mapping[str, str], name: str) -> bytes:
    """Of a part of a histogram: the bound of the part is left out, and `name` is the whole's."""
    rest = {label: value for label, value in labels.items() if label != "le"}
    return series_key({**rest, "__name__": name})


def _part(series: Series) -> str:
    return series.attributes.get("le") or series.name.rpartition("_")[2]


def _heap(members: Mapping[str, float]) -> Heap:
    below = {
        bound: value for part, value in members.items() if (bound := bound_of(part)) is not None
    }
    if "count" in members:
        below.setdefault(inf, members["count"])
    return heap_below(below, members.get("sum", 0.0))
