"""The catalog: systems, metrics, alerts and collected values, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, delete, func, insert, select, update

from qmon_agent.domain.catalog import Alert, Analytics, Metric, MonitoringSystem
from qmon_agent.domain.errors import MetricNotFoundError, SystemNotFoundError, nearest_to

from .database import Database, record
from .dialects import insert_new, upsert
from .tables import ALERTS, ANALYTICS, METRICS, SYSTEMS


class Catalog:
    """Reads and writes the four records; names are unique, those of metrics within a system."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # systems

    def add_system(
        self, name: str, *, description: str = "", created_by: str = "", status: str = "active"
    ) -> MonitoringSystem:
        """The system of this name; made now if it is new, left as it is if not."""
        self.add_systems(
            [
                MonitoringSystem(
                    name=name, description=description, created_by=created_by, status=status
                )
            ]
        )
        return self.system(name)

    def add_systems(self, systems: Iterable[MonitoringSystem]) -> None:
        """Add those whose name is new, in one transaction."""
        rows = [self._dated(each) for each in systems]
        with self._database.writing() as connection:
            insert_new(connection, SYSTEMS, rows, keys=["name"])

    def systems(self) -> list[MonitoringSystem]:
        """All, by name."""
        with self._database.reading() as connection:
            found = connection.execute(select(SYSTEMS).order_by(SYSTEMS.c.name))
            return [record(MonitoringSystem, row) for row in found]

    def system(self, key: int | str) -> MonitoringSystem:
        """By id or name; raises SystemNotFoundError with the nearest names."""
        column: ColumnElement[Any] = SYSTEMS.c.id if isinstance(key, int) else SYSTEMS.c.name
        with self._database.reading() as connection:
            row = connection.execute(select(SYSTEMS).where(column == key)).first()
            if row is None:
                known = connection.execute(select(SYSTEMS.c.name)).scalars()
                raise SystemNotFoundError(key, nearest_to(str(key), known))
        return record(MonitoringSystem, row)

    # metrics

    def add_metrics(self, metrics: Iterable[Metric]) -> None:
        """Add those whose name is new in their system, in one transaction."""
        rows = [self._dated(each) for each in metrics]
        with self._database.writing() as connection:
            insert_new(connection, METRICS, rows, keys=["monitoring_system", "name"])

    def add_metric(self, metric: Metric) -> Metric:
        """Add one and answer it with its id, or the one that is there already."""
        self.add_metrics([metric])
        named = METRICS.c.name == metric.name
        return self._metrics(named, METRICS.c.monitoring_system == metric.monitoring_system)[0]

    def metrics_of(self, system_id: int) -> list[Metric]:
        """A system's metrics, by name."""
        return self._metrics(METRICS.c.monitoring_system == system_id)

    def metric(self, metric_id: int) -> Metric:
        """By id; raises MetricNotFoundError."""
        if found := self._metrics(METRICS.c.id == metric_id):
            return found[0]
        raise MetricNotFoundError(metric_id)

    def count_metrics(self) -> int:
        """How many there are in all systems."""
        with self._database.reading() as connection:
            return connection.execute(select(func.count()).select_from(METRICS)).scalar_one()

    def _metrics(self, *where: ColumnElement[bool]) -> list[Metric]:
        with self._database.reading() as connection:
            found = connection.execute(select(METRICS).where(*where).order_by(METRICS.c.name))
            return [record(Metric, row) for row in found]

    # alerts

    def put_alert(self, alert: Alert) -> Alert:
        """Add the alert, or give the one of the same name these values."""
        self.put_alerts([alert])
        return next(each for each in self.alerts() if each.name == alert.name)

    def put_alerts(self, alerts: Iterable[Alert]) -> None:
        """Add the alerts, or give those of the same names these values, in one transaction."""
        rows = [self._dated(each) for each in alerts]
        with self._database.writing() as connection:
            upsert(connection, ALERTS, rows, keys=["name"])

    def alerts(self, *, metric: int | None = None) -> list[Alert]:
        """All, or those on one metric, by name."""
        where = [ALERTS.c.metric == metric] if metric is not None else []
        with self._database.reading() as connection:
            found = connection.execute(select(ALERTS).where(*where).order_by(ALERTS.c.name))
            return [record(Alert, row) for row in found]

    def set_alert_status(self, names: Sequence[str], status: str) -> None:
        """Switch alerts on (`active`) or off."""
        changed = {"status": status, "updated_at": self._database.clock.now()}
        with self._database.writing() as connection:
            connection.execute(update(ALERTS).where(ALERTS.c.name.in_(names)).values(changed))

    # analytics

    def add_analytics(self, values: Sequence[Analytics]) -> list[Analytics]:
        """Keep the values in one transaction and answer them with their ids."""
        rows = [self._dated(each) for each in values]
        if not rows:
            return []
        statement = insert(ANALYTICS).returning(ANALYTICS.c.id, sort_by_parameter_order=True)
        with self._database.writing() as connection:
            ids = connection.execute(statement, rows).scalars().all()
        return [Analytics(id=number, **row) for number, row in zip(ids, rows, strict=True)]

    def newest_analytics(self, metric_id: int) -> Analytics | None:
        """The value with the latest timestamp."""
        newest = ANALYTICS.c.timestamp.desc(), ANALYTICS.c.id.desc()
        of_metric = select(ANALYTICS).where(ANALYTICS.c.metric == metric_id)
        with self._database.reading() as connection:
            row = connection.execute(of_metric.order_by(*newest).limit(1)).first()
        return record(Analytics, row) if row else None

    def forget_analytics(self, before: int) -> int:
        """Delete values older than this; how many there were."""
        with self._database.writing() as connection:
            old = delete(ANALYTICS).where(ANALYTICS.c.timestamp < before)
            return connection.execute(old).rowcount

    def _dated(self, new: msgspec.Struct) -> dict[str, Any]:
        now = self._database.clock.now()
        row = msgspec.structs.asdict(new)
        row["created_at"] = row["created_at"] or now
        if "updated_at" in row:
            row["updated_at"] = now
        del row["id"]
        return row
