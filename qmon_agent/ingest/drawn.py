"""Series that were kept by a Prometheus, as points: the same law that remote write goes by."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from qmon_agent.ingest.growth import series_key
from qmon_agent.ingest.remote_points import RemotePoints
from qmon_agent.ingest.remote_series import Message, Reading, Series
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Point

_MOST_SERIES = 20_000_000
_AT_ONCE = 20_000
_PARTS = ("_bucket", "_count", "_sum")
_NAME, _JOB = "__name__", "job"


class Drawn(msgspec.Struct, frozen=True):
    """One series, and its samples by time."""

    labels: dict[str, str]
    samples: Iterable[tuple[int, float]]
    """Milliseconds since 1970, and a number."""


class Drawing:
    """Makes points of families of series; what counters had at its end is known to the next."""

    def __init__(self) -> None:
        self._points = RemotePoints(_MOST_SERIES, began=1)
        self.left_out: Counter[str] = Counter()
        self.samples = 0

    def points(self, families: Iterable[list[Drawn]]) -> Iterator[tuple[Resource, list[Point]]]:
        """Point by point, by who speaks; families come one after the other."""
        message = Message(readings=[], fresh=[], types={}, problems=[])
        for family in families:
            for reading, fresh in _readings(family):
                message.fresh += fresh
                message.readings.append(reading)
                if len(message.readings) >= _AT_ONCE:
                    yield from self._translated(message)
                    message = Message(readings=[], fresh=[], types={}, problems=[])
        yield from self._translated(message)

    def _translated(self, message: Message) -> Iterator[tuple[Resource, list[Point]]]:
        told = self._points.translate(message)
        self._points.commit()
        self.samples += len(message.readings)
        self.left_out.update(told.left_out)
        if told.problems:
            self.left_out["unreadable"] += len(told.problems)
        yield from told.resources()


def family_of(labels: dict[str, str]) -> bytes:
    """What the parts of one histogram have in common; every other series is alone, or nearly."""
    name = labels.get(_NAME, "")
    base = next((name.removesuffix(end) for end in _PARTS if name.endswith(end)), name)
    rest = {key: value for key, value in labels.items() if key != "le"}
    return series_key({**rest, _NAME: base})


def in_families(series: Iterable[Drawn]) -> list[list[Drawn]]:
    """Series that are in memory, put together."""
    found: dict[bytes, list[Drawn]] = {}
    for each in series:
        found.setdefault(family_of(each.labels), []).append(each)
    return [*found.values()]


def _readings(family: list[Drawn]) -> Iterator[tuple[Reading, list[tuple[bytes, Series]]]]:
    """By time; all of the family is told with the first, so that it is read as one."""
    made = [(_series_of(each.labels), each.samples) for each in family]
    fresh = [(b"", series) for series, _ in made]
    streams = [_stream(series, samples) for series, samples in made]
    merged = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=lambda one: one[0])
    for reading in merged:
        yield reading, fresh
        fresh = []


def _stream(series: Series, samples: Iterable[tuple[int, float]]) -> Iterator[Reading]:
    for time, value in samples:
        yield time, series, value, 0


def _series_of(labels: dict[str, str]) -> Series:
    attributes = {key: value for key, value in labels.items() if key not in {_NAME, _JOB}}
    return Series(name=labels.get(_NAME, ""), job=labels.get(_JOB, ""), attributes=attributes)
