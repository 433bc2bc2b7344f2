"""All alerts at work, found by the metric they look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from qmon_agent.domain.catalog import Alert, Metric, MonitoringSystem
from qmon_agent.domain.errors import QmonError
from qmon_agent.domain.point_columns import metrics_of
from qmon_agent.store.state.ledger import StateRecord

from .evaluation import Cell
from .observed import Observed
from .usual import USUALLY
from .watch import Lasting, Subject, Watch


class Catalog(Protocol):
    """What watches need of the catalog."""

    def alerts(self) -> list[Alert]: ...
    def metric(self, metric_id: int) -> Metric: ...
    def system(self, key: int | str) -> MonitoringSystem: ...


class Watches:
    """Watches by alert; an alert that cannot work is a problem, and no other alert's."""

    def __init__(self, catalog: Catalog) -> None:
        self.problems: dict[str, str] = {}
        self._catalog = catalog
        self._by_alert: dict[int, Watch] = {}
        self._by_metric: dict[str, list[Watch]] = {}
        self._by_signals: dict[tuple[str, ...], list[Watch]] = {}

    def __iter__(self) -> Iterator[Watch]:
        return iter(list(self._by_alert.values()))

    def get(self, alert_id: int) -> Watch | None:
        """The watch of an alert, if it is at work."""
        return self._by_alert.get(alert_id)

    @property
    def unmatched(self) -> list[str]:
        """Alerts that somebody has made, and that have never seen anything of theirs."""
        return [
            watch.alert.name
            for watch in self
            if not watch.is_matched and watch.alert.created_by != USUALLY
        ]

    def concerned_by(self, batch: Observed) -> list[Watch]:
        """Those that look at a metric of the batch, or at every batch."""
        found = [
            watch for metric in self._metrics_in(batch) for watch in self._by_metric.get(metric, ())
        ]
        for signals, watches in self._by_signals.items():
            if any(getattr(batch, name) for name in signals):
                found += watches
        # One that looks at two metrics is found by both.
        return list(dict.fromkeys(found)) + self._by_metric.get("", [])

    def _metrics_in(self, batch: Observed) -> Iterable[str]:
        """Of a batch; nothing while no watch looks at a metric, which is how it mostly is."""
        looks_at_one = len(self._by_metric) > ("" in self._by_metric)
        return metrics_of(batch.points) if looks_at_one else ()

    def refresh(self) -> list[Watch]:
        """Take up the catalog as it is now; the answer are watches whose alert is gone."""
        before, self._by_alert, self.problems = self._by_alert, {}, {}
        for alert in self._catalog.alerts():
            if alert.status == "active":
                self._take_up(alert, before.pop(alert.id, None))
        self._by_metric, self._by_signals = defaultdict(list), defaultdict(list)
        for watch in self:
            about = watch.about
            if about.question:
                continue  # what it looks at is kept for it
            if about.signals:
                self._by_signals[about.signals].append(watch)
                continue
            for metric in dict.fromkeys((about.metric, *about.also)):
                self._by_metric[metric].append(watch)
        return list(before.values())

    def restore(self, states: Iterable[StateRecord]) -> Iterator[Lasting]:
        """Give the cells back what they knew; the answer are those of alerts switched off since."""
        off = {alert.id: alert for alert in self._catalog.alerts() if alert.status != "active"}
        for state in states:
            cell = msgspec.json.decode(state.state, type=Cell)
            if watch := self._by_alert.get(state.alert):
                watch.put(state.instance, cell)
            elif alert := off.get(state.alert):
                yield self._left(alert, state.instance, cell)

    def _left(self, alert: Alert, instance: str, cell: Cell) -> Lasting:
        on = self._subject(alert)
        return Lasting(
            alert=alert,
            system=on.system.name if on.system else "",
            metric=on.metric.name if on.metric else "",
            instance=instance,
            cell=cell,
        )

    def _take_up(self, alert: Alert, before: Watch | None) -> None:
        if before and before.alert == alert:
            self._by_alert[alert.id] = before
            return
        try:
            watch = Watch(alert, self._subject(alert))
        except QmonError as error:
            self.problems[alert.name] = str(error)
            if before:
                self._by_alert[alert.id] = before
            return
        if before:
            watch.cells = before.cells
        self._by_alert[alert.id] = watch

    def _subject(self, alert: Alert) -> Subject:
        if alert.metric is None:
            return Subject()
        metric = self._catalog.metric(alert.metric)
        return Subject(metric=metric, system=self._catalog.system(metric.monitoring_system))
