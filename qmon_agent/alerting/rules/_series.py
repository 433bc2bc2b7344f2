"""Which points a rule looks at, and how the series they belong to is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from math import isfinite

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.point_columns import points_of
from qmon_agent.domain.replicas import Across
from qmon_sdk.protocol.signals import Point

from . import Fact
from ._measures import MEASURES

INSTANCE = "instance"
"""The label that Prometheus gives a series of one instance of a service."""


class Selector(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of one system or of any, narrowed by attributes."""

    metric: str
    system: str = ""
    where: Mapping[str, str] = {}
    across: Across = "any"
    """With `each`, every instance of a service has series of its own."""

    def points(self, batch: Observed) -> Iterator[Point]:
        """The points of a batch that are meant, in order."""
        if self.system and batch.service != self.system:
            return
        for point in points_of(batch.points, self.metric):
            if self.where.items() <= point.attributes.items():
                yield point

    def facts(self, batch: Observed, measure: str) -> Iterator[Fact]:
        """Each point as a fact about the series it belongs to."""
        measured, replica = MEASURES[measure], batch.replica
        whose = {INSTANCE: replica} if self.across == "each" and replica else None
        for point in self.points(batch):
            named = batch.names.get(id(point)) if whose is None else None
            if whose is not None:
                # Who was scraped says itself which instance it is.
                named = series(batch.service, {**whose, **point.attributes})
            elif named is None:
                # By its id, as attributes are no key; the batch keeps the point as long as that.
                named = batch.names[id(point)] = series(batch.service, point.attributes)
            name, labels = named
            yield Fact(
                instance=name,
                value=measured(point),
                event_time=point.time,
                labels=labels,
                replica=replica if whose is None else "",
                began=batch.began,
            )


class Counted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is counted: a counter's growth, how many a distribution holds, or a gauge's value."""

    metric: str
    """The metric that is counted."""
    where: dict[str, str] = {}
    """Only points with these attributes; `*` and `?` stand for anything, as in `5*`."""

    def amount(self, point: Point) -> float:
        """How much of it a point is; nothing, if it is another metric or does not fit."""
        if point.metric != self.metric or not self._fits(point.attributes):
            return 0.0
        amount = float(point.count) if point.kind == "distribution" else point.value
        return amount if isfinite(amount) else 0.0

    def _fits(self, attributes: Mapping[str, str]) -> bool:
        return all(
            fnmatchcase(attributes.get(name, ""), wanted) for name, wanted in self.where.items()
        )


def series(service: str, attributes: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The stable name of a series, and its labels."""
    labels = {"service": service, **attributes}
    return msgspec.json.encode(labels, order="sorted").decode(), labels


def group(service: str, per: Iterable[str], attributes: Mapping[str, str]) -> dict[str, str]:
    """The labels of the instance that something belongs to: the service, and those of `per`."""
    return {"service": service, **{name: attributes.get(name, "") for name in per}}


def name_of(labels: Mapping[str, str]) -> str:
    """The stable name of an instance."""
    return msgspec.json.encode(labels, order="sorted").decode()
