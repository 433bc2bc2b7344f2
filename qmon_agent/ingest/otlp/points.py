"""Metrics: gauges, sums, histograms of both kinds and summaries; what is cumulative, as deltas."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from math import inf, isfinite
from typing import Any

from qmon_sdk.protocol.signals import NO_BUCKETS, NO_LABELS, Point, Signal

from .deltas import Change, Series, Told
from .histograms import Histogram, explicit_of, exponential_of, folded, range_of, since
from .reading import Labels, Reading

_CUMULATIVE = {2, "AGGREGATION_TEMPORALITY_CUMULATIVE"}
_UNSAID = {0, "AGGREGATION_TEMPORALITY_UNSPECIFIED"}
_NOTHING_RECORDED = 1  # a flag: the series has ended, say
_COUNTER, _GAUGE, _DISTRIBUTION = "counter", "gauge", "distribution"
_FINITE = "data points that are no finite numbers"
_SOUND = "histograms whose numbers do not fit each other"


def read_metrics(message: Any, reading: Reading, series: Series[Any]) -> list[Change]:
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


def _read_part(part: Any, reading: Reading, *, series: Series[Any], changes: list[Change]) -> None:
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
        series: Series[Any],
    ) -> None:
        self.changes: list[Change] = []
        self._reading = reading
        self._signals = signals
        self._scope = scope
        self._who = (who, scope.get("otel.scope.name", ""), scope.get("otel.scope.version", ""))
        self._series = series
        self._seen = series.now()

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
        is_news, before = self._advance(metric, point, value, what=suffix or _COUNTER)
        if is_news:
            # What has become less has begun anew, whatever it says about its start.
            value -= before if before is not None and before <= value else 0.0
            yield from self._point(metric, point, kind=_COUNTER, value=value, suffix=suffix)

    def _distribution(
        self, metric: Any, data: Any, *, point: Any, told: Histogram
    ) -> Iterator[Point]:
        temporality = data.aggregation_temporality
        if not told.is_sound:
            self._reading.reject(_SOUND)
        elif temporality in _UNSAID:
            self._reading.reject("data points of no temporality")
        elif temporality not in _CUMULATIVE:
            yield from self._folded(metric, point, told=told)
        else:
            is_news, before = self._advance(metric, point, told, what=type(told).__name__)
            if is_news:
                part = since(told, before)
                yield from self._folded(metric, point, told=part or told, is_part=bool(part))

    def _folded(
        self, metric: Any, point: Any, *, told: Histogram, is_part: bool = False
    ) -> Iterator[Point]:
        """The range told is that since the start, so it is not that of a part."""
        least = point.min if point.HasField("min") and isfinite(point.min) else -inf
        most = point.max if point.HasField("max") and isfinite(point.max) else inf
        buckets = folded(told.spread(least, most))
        low, high = range_of(buckets)
        yield from self._point(
            metric,
            point,
            kind=_DISTRIBUTION,
            value=told.sum,
            count=told.count,
            minimum=low if is_part or not isfinite(least) else least,
            maximum=high if is_part or not isfinite(most) else most,
            buckets=buckets or NO_BUCKETS,
        )

    def _advance(self, metric: Any, point: Any, value: Any, *, what: str) -> tuple[bool, Any]:
        attributes = tuple(sorted(map(bytes, point.attributes or ())))
        key = hash((self._who, metric.name, metric.unit, what)), attributes
        time = point.time_unix_nano or self._reading.now
        told = Told(point.start_time_unix_nano, time, value, self._seen)
        return self._series.advance(key, told, self.changes)

    def _point(
        self,
        metric: Any,
        point: Any,
        *,
        kind: str,
        value: float,
        suffix: str = "",
        more: Labels | None = None,
        **further: Any,
    ) -> Iterator[Point]:
        time = self._reading.time(point.time_unix_nano)
        if time < 0:
            self._reading.reject("data points of a time beyond the year 2262")
            return
        labels = {**self._reading.labels(point.attributes), **self._scope, **(more or {})}
        yield Point(
            time=time,
            metric=metric.name + suffix,
            kind=kind,
            value=value,
            unit=metric.unit or "",
            attributes=labels or NO_LABELS,
            **{"minimum": value, "maximum": value, **further},
        )


def _value(point: Any) -> float:
    return float(point.as_int) if point.HasField("as_int") else float(point.as_double or 0.0)


_KINDS: dict[str, Callable[[_Metrics, Any, Any, Any], Iterator[Point]]] = {
    "gauge": _Metrics.gauge,
    "sum": _Metrics.sum,
    "histogram": _Metrics.histogram,
    "exponential_histogram": _Metrics.exponential,
    "summary": _Metrics.summary,
}
