"""Metrics: gauges, sums, histograms of both kinds and summaries; what is cumulative, as deltas."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from math import isfinite
from typing import Any

from qmon_agent.ingest.growth import Change, Growth
from qmon_agent.ingest.heaps import Heap
from qmon_sdk.protocol.signals import NO_LABELS, Point, Signal

from .histograms import explicit_of, exponential_of
from .reading import Labels, Reading

_CUMULATIVE = {2, "AGGREGATION_TEMPORALITY_CUMULATIVE"}
_UNSAID = {0, "AGGREGATION_TEMPORALITY_UNSPECIFIED"}
_NOTHING_RECORDED = 1  # a flag: the series has ended, say
_COUNTER, _GAUGE = "counter", "gauge"
_FINITE = "data points that are no finite numbers"
_SOUND = "histograms whose numbers do not fit each other"


def read_metrics(message: Any, reading: Reading, series: Growth) -> list[Change]:
    """Everything a request for metrics tells; what it changed in `series`, should it be refused."""
    changes: list[Change] = []
    with series.lock:
        try:
            for part in message.resource_metrics or ():
                _read_part(part, reading, series=series, changes=changes)
        except BaseException:
            series.take_back(changes)
            raise
    return changes


def _read_part(part: Any, reading: Reading, *, series: Growth, changes: list[Change]) -> None:
    signals = reading.signals_of(part.resource)
    who = tuple(map(bytes, part.resource.attributes or ()))
    for inner in part.scope_metrics or ():
        reader = _Metrics(
            reading, signals, scope=reading.scope(inner.scope), who=who, series=series
        )
        reader.changes = changes
        for metric in inner.metrics or ():
            reader.take(metric)


class _Metrics:
    """Reads the metrics of one library."""

    def __init__(
        self,
        reading: Reading,
        signals: list[Signal],
        *,
        scope: Labels,
        who: Hashable,
        series: Growth,
    ) -> None:
        self.changes: list[Change] = []
        self._reading = reading
        self._signals = signals
        self._scope = scope
        self._who = (who, scope.get("otel.scope.name", ""), scope.get("otel.scope.version", ""))
        self._series = series

    def take(self, metric: Any) -> None:
        for kind, read in _KINDS.items():
            if metric.HasField(kind):
                data = getattr(metric, kind)
                points = data.data_points or ()
                if not metric.name:
                    self._reading.reject("data points of metrics without a name", len(points))
                    return
                for point in points:
                    self._reading.exemplars += len(getattr(point, "exemplars", None) or ())
                    if not point.flags & _NOTHING_RECORDED:
                        self._signals.extend(read(self, metric, data, point))
                return
        # A metric without data says nothing, and nothing is what becomes of it.

    def gauge(self, metric: Any, _: Any, point: Any) -> Iterator[Point]:
        value = _value(point)
        if isfinite(value):
            yield from self._point(metric, point, kind=_GAUGE, value=value)
        else:
            self._reading.reject(_FINITE)

    def sum(self, metric: Any, data: Any, point: Any) -> Iterator[Point]:
        value = _value(point)
        if not isfinite(value):
            self._reading.reject(_FINITE)
        elif data.aggregation_temporality in _UNSAID:
            self._reading.reject("data points of no temporality")
        elif data.aggregation_temporality not in _CUMULATIVE:
            yield from self._point(metric, point, kind=_COUNTER, value=value)
        elif not data.is_monotonic:
            yield from self._point(metric, point, kind=_GAUGE, value=value)
        else:
            yield from self._counted(metric, point, value=value)

    def histogram(self, metric: Any, data: Any, point: Any) -> Iterator[Point]:
        yield from self._distribution(metric, data, point=point, told=explicit_of(point))

    def exponential(self, metric: Any, data: Any, point: Any) -> Iterator[Point]:
        yield from self._distribution(metric, data, point=point, told=exponential_of(point))

    def summary(self, metric: Any, _: Any, point: Any) -> Iterator[Point]:
        """Quantiles cannot be added up: they become gauges, count and sum counters."""
        yield from self._counted(metric, point, value=float(point.count), suffix="_count")
        if isfinite(point.sum):
            yield from self._counted(metric, point, value=point.sum, suffix="_sum")
        for told in point.quantile_values or ():
            if isfinite(told.value):
                more = {"quantile": repr(told.quantile)}
                yield from self._point(metric, point, kind=_GAUGE, value=told.value, more=more)

    def _counted(
        self, metric: Any, point: Any, *, value: float, suffix: str = ""
    ) -> Iterator[Point]:
        key, told = self._series_of(metric, point, what=suffix or _COUNTER)
        time, start = told["time"], told["start"]
        grown = self._series.of_number(key, value, changes=self.changes, time=time, start=start)
        if grown is not None:
            yield from self._point(metric, point, kind=_COUNTER, value=grown, suffix=suffix)

    def _distribution(
        self, metric: Any, data: Any, *, point: Any, told: Heap | None
    ) -> Iterator[Point]:
        temporality = data.aggregation_temporality
        if told is None:
            self._reading.reject(_SOUND)
        elif temporality in _UNSAID:
            self._reading.reject("data points of no temporality")
        elif temporality not in _CUMULATIVE:
            yield from self._heap(metric, point, told)
        else:
            key, when = self._series_of(metric, point, what="histogram")
            grown = self._series.of_heap(key, told, changes=self.changes, **when)
            if grown is not None:
                yield from self._heap(metric, point, grown)

    def _heap(self, metric: Any, point: Any, heap: Heap) -> Iterator[Point]:
        if heap.count and (about := self._about(metric, point)):
            yield heap.point(**about)

    def _series_of(self, metric: Any, point: Any, *, what: str) -> tuple[Hashable, dict[str, int]]:
        """Which series a point is of, and when it was read."""
        attributes = tuple(sorted(map(bytes, point.attributes or ())))
        key = hash((self._who, metric.name, metric.unit, what)), attributes
        time = point.time_unix_nano or self._reading.now
        return key, {"time": time, "start": point.start_time_unix_nano or 0}

    def _point(
        self,
        metric: Any,
        point: Any,
        *,
        kind: str,
        value: float,
        suffix: str = "",
        more: Labels | None = None,
    ) -> Iterator[Point]:
        if about := self._about(metric, point, suffix=suffix, more=more):
            yield Point(kind=kind, value=value, minimum=value, maximum=value, **about)

    def _about(
        self, metric: Any, point: Any, *, suffix: str = "", more: Labels | None = None
    ) -> dict[str, Any]:
        """What every point says beside its numbers; nothing where its time has no place."""
        time = self._reading.time(point.time_unix_nano)
        if time < 0:
            self._reading.reject("data points of a time beyond the year 2262")
            return {}
        labels = {**self._reading.labels(point.attributes), **self._scope, **(more or {})}
        return {
            "time": time,
            "metric": metric.name + suffix,
            "unit": metric.unit or "",
            "attributes": labels or NO_LABELS,
        }


def _value(point: Any) -> float:
    return float(point.as_int) if point.HasField("as_int") else float(point.as_double or 0.0)


_KINDS: dict[str, Callable[[_Metrics, Any, Any, Any], Iterator[Point]]] = {
    "gauge": _Metrics.gauge,
    "sum": _Metrics.sum,
    "histogram": _Metrics.histogram,
    "exponential_histogram": _Metrics.exponential,
    "summary": _Metrics.summary,
}
