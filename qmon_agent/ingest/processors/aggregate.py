"""Fold numbers over an interval, into fewer series if wanted; count other signals into numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal, cast

import msgspec

from qmon_agent.domain.bounds import Amount
from qmon_agent.ingest.lots import Lot, made_by_us, made_lot
from qmon_agent.ingest.matching import EVERYTHING, Match, Matcher
from qmon_agent.ingest.sampling.folding import OVERFLOW, Fold, Gauges, Shape, Window, Windows
from qmon_agent.ingest.sampling.keys import Keys
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Labels, Point, Signal

from . import ALL_KINDS, THE_END

_SLACK = 1_000_000_000  # a record may be read a moment after it arrived
_KINDS = frozenset(("counter", "gauge", "distribution"))


class Count(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signals that are counted into a metric."""

    metric: str
    """What the counter is called."""
    match: Match = EVERYTHING
    """Which signals are counted."""
    by: tuple[str, ...] = ()
    """What becomes attributes of the counter: `level`, `name`, any field or attribute."""
    keep: bool = True
    """Whether the signals go on; else they are dropped, and the count is what is left."""


class AggregateProcessor(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Points of a series become one each interval: sums are added, distributions merged.

    Points for which there is no room go on as they are, as do kinds nobody has heard of.
    """

    kinds: ClassVar[frozenset[str]] = ALL_KINDS
    every_s: float = 10.0
    """The interval, cut on the clock."""
    gauges: Gauges = "last"
    """What is said of several readings of a gauge: `last`, `mean`, `min`, `max` or `sum`."""
    without: tuple[str, ...] = ()
    """Attributes that are left out, so that their series become one."""
    only: tuple[str, ...] | None = None
    """Attributes that are kept, all others being left out."""
    per: Literal["process", "host", "service"] = "process"
    """Whose points become one: of a process, of all of a service on a host, or anywhere."""
    max_series: Amount = 10_000
    """Series folded at the same time."""
    count: tuple[Count, ...] = ()
    """Other signals that are counted into metrics."""

    def __post_init__(self) -> None:
        self._windows = Windows(self.every_s, max_series=self.max_series)
        self._counts = [
            (each, Matcher(each.match, f"count[{n}].match"), Keys(each.by))
            for n, each in enumerate(self.count)
        ]

    @property
    def holds(self) -> int | None:
        """The oldest record of which something is folded and not told."""
        return self._windows.holds

    def process(self, lot: Lot) -> Iterable[Lot]:
        """Takes points in; what another processor made passes, for it came in no record."""
        if not lot.origin.record_id:
            return (lot,)
        told = self._told(lot.origin.time)
        return (*told, self._fold(lot) if lot.kind == "point" else self._count(lot))

    def tick(self, now: int) -> Iterable[Lot]:
        """The intervals that are over."""
        return self._told(now if now == THE_END else now - _SLACK)

    def _told(self, now: int) -> list[Lot]:
        return [
            made_lot(
                # What a whole service says together, no process of it has said.
                window.resource if self.per == "process" else made_by_us(window.resource),
                "point",
                self._windows.points(window, self.gauges),
                name=b"/".join((b"window", window.name)),
            )
            for window in self._windows.due(now)
        ]

    def _window(self, lot: Lot) -> Window:
        whose = _speaker(lot.resource, self.per)
        origin = lot.origin
        return self._windows.at(origin.time, whose, record_id=origin.record_id)

    def _fold(self, lot: Lot) -> Lot:
        window = self._window(lot)
        rest: list[Signal] = []
        for point in cast("Sequence[Point]", lot.signals):
            attributes = self._kept(point.attributes)
            shape = Shape(point.metric, point.kind, point.unit)
            fold = self._found(window, shape, attributes) if point.kind in _KINDS else None
            if fold is None:
                rest.append(point)
            else:
                fold.add(point)
        return lot.keep(rest)

    def _count(self, lot: Lot) -> Lot:
        kept = lot.signals
        for each, matcher, keys in self._counts:
            verdict = matcher.of(lot.resource, lot.kind)
            if verdict is False:
                continue
            fits = [signal for signal in kept if verdict is True or verdict(signal)]
            self._enter(lot, fits, each=each, keys=keys)
            if not each.keep:
                gone = set(map(id, fits))
                kept = [signal for signal in kept if id(signal) not in gone]
        return lot if len(kept) == lot.rows else lot.keep(kept)

    def _enter(self, lot: Lot, fits: Sequence[Signal], *, each: Count, keys: Keys) -> None:
        window, key_of = self._window(lot), keys.of(lot)
        shape = Shape(each.metric, "counter", "{signal}")
        for key, n in Counter(map(key_of, fits)).items():
            fold = self._found(window, shape, keys.labels(key))
            fold = fold or self._found(window, shape, OVERFLOW, at_all=True)
            if fold is not None:
                fold.add(Point(metric=each.metric, kind="counter", value=float(n), count=n))

    def _found(
        self, window: Window, shape: Shape, attributes: Labels, *, at_all: bool = False
    ) -> Fold | None:
        key = (shape.metric, shape.kind, shape.unit, tuple(sorted(attributes.items())))
        return self._windows.fold(window, key, shape=shape, attributes=attributes, at_all=at_all)

    def _kept(self, attributes: Labels) -> Labels:
        if not self.without and self.only is None:
            return attributes
        chosen = attributes if self.only is None else self.only
        return {
            name: attributes[name]
            for name in chosen
            if name in attributes and name not in self.without
        }


def _speaker(resource: Resource, per: str) -> Resource:
    if per == "process":
        return resource
    service, release, environment, host, *_ = resource
    return Resource(
        service=service,
        release=release,
        environment=environment,
        host=host if per == "host" else "",
    )
