"""What remote write tells, as points: counters by what they grew, histograms put together again.

A classic histogram comes as a series for each of its buckets, perhaps in several messages. It is
told when everything that came with it the last time has come with the same time again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from math import inf, isfinite
from operator import itemgetter
from struct import pack
from time import time_ns
from typing import Any

import msgspec
from msgspec.structs import replace

from qmon_agent.ingest.exposition_points import bound_of
from qmon_agent.ingest.growth import Change, Growth
from qmon_agent.ingest.heaps import Heap, heap_below
from qmon_agent.ingest.native_histograms import BEGAN_AGAIN, IS_GAUGE, NativeError, heap_of
from qmon_agent.ingest.remote_messages import Message, Series
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Point

_STALE = bytes.fromhex("7ff0000000000002")
_MILLI = 1_000_000
_LATEST_MS = 1 << 43
_TO_COUNT = {"counter", "summary"}
_COUNTING_ENDINGS = ("_total", "_count", "_sum", "_bucket")
_PART_ENDINGS = ("_bucket", "_count", "_sum")
_MOST_NAMES = 50_000
_PATIENCE = 3

_NO_ATTRIBUTES = frozenset({"__name__", "job"})


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
        self.points.setdefault(job, []).append(point)

    def leave_out(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1

    def resources(self) -> Iterator[tuple[Resource, list[Point]]]:
        for job, points in self.points.items():
            yield Resource(service=job or "prometheus", sdk="prometheus"), points


class _Assembly(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a classic histogram that have come with one time."""

    time: int
    members: Mapping[str, float]
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
        self._ahead: dict[bytes, _Assembly | None] = {}

    def __len__(self) -> int:
        return len(self._growth)

    def translate(self, message: Message) -> Told:
        self._growth.take_back(self._changes)
        self._ahead.clear()
        self._learn(message)
        told = Told(points={}, left_out={}, problems=list(message.problems))
        for time, series, sample, is_native in _by_time(message.series):
            if not 0 < time < _LATEST_MS:
                told.problems.append(f"a sample of the time {time}")
            elif is_native:
                self._take_native(told, series, sample)
            else:
                told.samples += 1
                self._take_sample(told, series, sample)
        told.exemplars = sum(series.exemplars for series in message.series)
        return told

    def commit(self) -> None:
        self._changes.clear()
        self._growth.forget()
        for key, assembly in self._ahead.items():
            self._assemblies.pop(key, None)
            if assembly is not None:
                self._assemblies[key] = assembly
        self._ahead.clear()
        while len(self._assemblies) > self._max:
            self._assemblies.pop(next(iter(self._assemblies)))

    def _learn(self, message: Message) -> None:
        if len(self._types) < _MOST_NAMES:
            self._types.update(message.types)
        for series in message.series:
            base = series.labels["__name__"].removesuffix("_bucket")
            is_part = base != series.labels["__name__"] and "le" in series.labels
            if is_part and len(self._heap_names) < _MOST_NAMES:
                self._heap_names.add(base)

    def _take_sample(self, told: Told, series: Series, sample: Any) -> None:
        base = self._histogram_of(series)
        value = sample.value
        if not isfinite(value):
            is_stale = pack(">d", value) == _STALE
            told.leave_out("stale" if is_stale else "not_finite")
        elif base:
            self._take_part(told, series, sample, base=base)
        else:
            self._take_number(told, series, sample)

    def _take_number(self, told: Told, series: Series, sample: Any) -> None:
        name, value = series.labels["__name__"], sample.value
        counts = self._counts(series)
        if counts:
            grown = self._growth.of_number(
                _key(series.labels), value, changes=self._changes, **_when(series, sample)
            )
            if grown is None or not isfinite(grown):
                told.leave_out("first_of_its_series_or_known")
                return
            value = grown
        told.add(
            series.labels.get("job", ""),
            Point(
                time=sample.timestamp * _MILLI,
                metric=name,
                kind="counter" if counts else "gauge",
                value=value,
                unit=series.unit,
                attributes=_attributes(series.labels),
            ),
        )

    def _take_part(self, told: Told, series: Series, sample: Any, *, base: str) -> None:
        key = _key(series.labels, named=base)
        before = self._ahead[key] if key in self._ahead else self._assemblies.get(key)
        if before is not None and sample.timestamp < before.time:
            told.leave_out("too_late")
            return
        if before is None or sample.timestamp > before.time:
            if before is not None and not before.expected:
                self._remember(key, before)
            before = _next(before, sample.timestamp)
        members = {**before.members, _part(series.labels): sample.value}
        whole = bool(before.expected) and before.expected <= members.keys()
        if whole and not before.told:
            when = _when(series, sample)
            grown = self._growth.of_heap(key, _heap(members), changes=self._changes, **when)
            _tell(told, series, grown, metric=base, time=sample.timestamp)
        self._ahead[key] = replace(before, members=members, told=before.told or whole)

    def _take_native(self, told: Told, series: Series, histogram: Any) -> None:
        try:
            heap = heap_of(histogram)
        except NativeError as problem:
            told.problems.append(str(problem))
            return
        told.histograms += 1
        key = _key(series.labels, named=f"native {series.labels['__name__']}")
        if pack(">d", histogram.sum) == _STALE:
            told.leave_out("stale")
            return
        when = _when(series, histogram)
        if histogram.reset_hint == BEGAN_AGAIN:
            when["start"] = when["time"] - 1
        grown: Heap | None = heap
        if histogram.reset_hint != IS_GAUGE:
            grown = self._growth.of_heap(key, heap, changes=self._changes, **when)
        metric = series.labels["__name__"]
        _tell(told, series, grown, metric=metric, time=histogram.timestamp)

    def _remember(self, key: bytes, assembly: _Assembly) -> None:
        """The first time of a histogram: what belongs to it is known only when the next begins."""
        time = assembly.time * _MILLI
        self._growth.of_heap(key, _heap(assembly.members), changes=self._changes, time=time)

    def _histogram_of(self, series: Series) -> str:
        """The histogram that a series is a part of, if it is."""
        name = series.labels["__name__"]
        if not self._heap_names or not name.endswith(_PART_ENDINGS):
            return ""
        for ending in _PART_ENDINGS:
            base = name.removesuffix(ending)
            if base != name and base in self._heap_names:
                return base if ending != "_bucket" or "le" in series.labels else ""
        return ""

    def _counts(self, series: Series) -> bool:
        name = series.labels["__name__"]
        known = series.type or self._types.get(name, "")
        if not known and self._types:
            families = (name.removesuffix(ending) for ending in _COUNTING_ENDINGS)
            known = next((self._types[one] for one in families if one in self._types), "")
        if known == "summary":
            return "quantile" not in series.labels
        return known in _TO_COUNT if known else name.endswith(_COUNTING_ENDINGS)


def _when(series: Series, sample: Any) -> dict[str, int]:
    """When it was read, and since when it has been counting, if it says so."""
    start = sample.start_timestamp or series.created
    return {"time": sample.timestamp * _MILLI, "start": start * _MILLI}


def _tell(told: Told, series: Series, grown: Heap | None, *, metric: str, time: int) -> None:
    """A histogram's growth, if it is known and not nothing."""
    if grown is None:
        told.leave_out("first_of_its_series_or_known")
    elif grown.count:
        point = grown.point(
            time=time * _MILLI,
            metric=metric,
            unit=series.unit,
            attributes=_attributes({k: v for k, v in series.labels.items() if k != "le"}),
        )
        told.add(series.labels.get("job", ""), point)


def _next(before: _Assembly | None, time: int) -> _Assembly:
    """What is expected is what came the last time, but for parts that are missing now and then."""
    if before is None:
        return _Assembly(time=time, members={})
    if before.told or not before.expected or before.missed >= _PATIENCE:
        return _Assembly(time=time, members={}, expected=frozenset(before.members))
    missed = before.missed + 1
    return _Assembly(time=time, members={}, expected=before.expected, missed=missed)


def _by_time(series: Iterable[Series]) -> list[tuple[int, Series, Any, bool]]:
    """Every sample and native histogram, the older ones first, else in the order of the message."""
    found: list[tuple[int, Series, Any, bool]] = []
    for one in series:
        found += [(sample.timestamp, one, sample, False) for sample in one.samples]
        found += [(native.timestamp, one, native, True) for native in one.histograms]
    found.sort(key=itemgetter(0))
    return found


def _key(labels: Mapping[str, str], *, named: str = "") -> bytes:
    """A digest of all labels: what is remembered of a series is small. Of a part of a histogram,
    `named` is the histogram, and the bound of the part is left out.
    """
    if named:
        labels = {name: value for name, value in labels.items() if name != "le"}
        labels["__name__"] = named
    told = "\0".join([text for pair in sorted(labels.items()) for text in pair])
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _part(labels: Mapping[str, str]) -> str:
    return labels.get("le") or labels["__name__"].rpartition("_")[2]


def _heap(members: Mapping[str, float]) -> Heap:
    below = {
        bound: value for part, value in members.items() if (bound := bound_of(part)) is not None
    }
    if "count" in members:
        below.setdefault(inf, members["count"])
    return heap_below(below, members.get("sum", 0.0))


def _attributes(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name not in _NO_ATTRIBUTES}
