"""The monitoring service: collects what a system's metrics are now, and checks new metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from qmon_agent.domain.catalog import Analytics, Metric, MonitoringSystem
from qmon_agent.domain.errors import InvalidMetricError

from .collector import MetricCollector
from .validator import MetricValidator, Problem


class Catalog(Protocol):
    """What the service needs of the catalog."""

    def system(self, key: int | str) -> MonitoringSystem: ...
    def metrics_of(self, system_id: int) -> list[Metric]: ...
    def add_metrics(self, metrics: Sequence[Metric]) -> None: ...
    def add_analytics(self, values: Sequence[Analytics]) -> list[Analytics]: ...


class MonitoringService:
    """Systems and their metrics, for whoever embeds the agent or stands behind an API."""

    def __init__(
        self,
        catalog: Catalog,
        collector: MetricCollector,
        validator: MetricValidator | None = None,
    ) -> None:
        self._catalog = catalog
        self._collector = collector
        self._validator = validator or MetricValidator()

    def collect_metrics(self, system_id: int | str) -> list[Analytics]:
        """Keep and answer one value per active metric that has one.

        Takes the system's id or name; raises SystemNotFoundError, with the nearest names.
        """
        system = self._catalog.system(system_id)
        metrics = [each for each in self._catalog.metrics_of(system.id) if each.status == "active"]
        return self._catalog.add_analytics(self._collector.collect(system, metrics))

    def validate_metrics(self, metrics: Sequence[Metric]) -> list[Problem]:
        """What is wrong with these metrics; nothing, if the list is empty."""
        return self._validator.validate(metrics)

    def declare_metrics(self, metrics: Sequence[Metric]) -> None:
        """Add those that are new; raises InvalidMetricError with every problem and adds none."""
        if problems := self.validate_metrics(metrics):
            raise InvalidMetricError(problems)
        self._catalog.add_metrics(metrics)
