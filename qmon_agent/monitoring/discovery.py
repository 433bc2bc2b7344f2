"""Systems and metrics nobody declared: made when they are first heard of, up to a bound."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from qmon_agent.domain.catalog import METRIC_TYPES, Metric, MonitoringSystem
from qmon_agent.domain.errors import StoreError
from qmon_agent.domain.point_columns import metrics_of
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.signals import Point

from .validator import NAME

CREATED_BY = "sdk"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many may be made by being heard of; more is counted, and still stored as signals."""

    systems: int = 1_000
    metrics: int = 20_000


class Catalog(Protocol):
    """What discovery needs of the catalog."""

    def systems(self) -> list[MonitoringSystem]: ...
    def add_system(self, name: str, *, created_by: str = "") -> MonitoringSystem: ...
    def metrics_of(self, system_id: int) -> list[Metric]: ...
    def add_metrics(self, metrics: Sequence[Metric]) -> None: ...


class Discovery:
    """Knows every name there is, so that a known one costs a look-up and no database."""

    def __init__(
        self, catalog: Catalog, *, vitals: Vitals | None = None, limits: Limits | None = None
    ) -> None:
        self._catalog = catalog
        self._vitals = vitals or Vitals()
        self._limits = limits or Limits()
        self._systems = {each.name: each.id for each in catalog.systems()}
        self._metrics = {
            (name, metric.name)
            for name, number in self._systems.items()
            for metric in catalog.metrics_of(number)
        }

    def note(self, service: str, points: Collection[Point] = ()) -> None:
        """Make what is new in a batch; blocks for one transaction then, and only then.

        While the state store refuses, it is counted, and tried with the next batch.
        """
        try:
            self._note(service, points)
        except StoreError:
            self._vitals.add("catalog_write_failures")

    def _note(self, service: str, points: Collection[Point]) -> None:
        if not self._knows_system(service):
            return
        unknown = [name for name in metrics_of(points) if (service, name) not in self._metrics]
        if unknown:
            first = {point.metric: point for point in reversed([*points])}
            self._add_metrics(service, {name: first[name] for name in unknown})

    def _knows_system(self, service: str) -> bool:
        if service in self._systems:
            return True
        if not service or len(self._systems) >= self._limits.systems:
            self._vitals.add("catalog_overflow", kind="system")
            return False
        self._systems[service] = self._catalog.add_system(service, created_by=CREATED_BY).id
        return True

    def _add_metrics(self, service: str, new: dict[str, Point]) -> None:
        room = max(0, self._limits.metrics - len(self._metrics))
        takeable = [name for name in new if NAME.match(name)][:room]
        if refused := len(new) - len(takeable):
            self._vitals.add("catalog_overflow", refused, kind="metric")
        if not takeable:
            return
        number = self._systems[service]
        self._catalog.add_metrics([_metric(new[name], number) for name in takeable])
        self._metrics.update((service, name) for name in takeable)


def _metric(point: Point, system: int) -> Metric:
    kind = point.kind if point.kind in METRIC_TYPES else METRIC_TYPES[0]
    return Metric(
        name=point.metric, metric_type=kind, monitoring_system=system, description=point.unit
    )
