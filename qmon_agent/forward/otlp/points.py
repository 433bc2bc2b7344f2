"""Points as OTLP metrics: counter → delta sum, gauge → gauge, distribution → histogram.

Our buckets are (γ^(i−1), γ^i] with γ = 1.02/0.98, which is no power of two: in an OTLP exponential
histogram every count would move to a neighbour with other borders.
So a distribution becomes a histogram with explicit bounds, which lie exactly on the borders of the
buckets that hold something: nothing is rounded, and each point brings the bounds it needs.
A bucket of negative values is closed below in ours and above in theirs: a value that lies on a
border to the last digit is one bucket off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import exp, log
from typing import Any, cast

from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_DELTA,
    Metric,
    ResourceMetrics,
    ScopeMetrics,
)

from qmon_sdk.protocol.buckets import GAMMA, ZERO
from qmon_sdk.protocol.frames import Frame
from qmon_sdk.protocol.signals import Buckets, Point, Signal

from .attributes import SCOPE, Attributes, resource_of

_LOG_GAMMA = log(GAMMA)
_MOST = 709.0  # exp of more than this is hardly a double
# A time series database needs no more, and a point of a stranger may come with any number.
_MOST_BUCKETS = 4096


def points_of(frame: Frame, rows: Iterable[Signal], made: Attributes) -> ResourceMetrics:
    metrics: dict[tuple[str, str, str], Metric] = {}
    for row in rows:
        point = cast("Point", row)
        key = (point.metric, point.unit, point.kind)
        metric = metrics.get(key)
        if metric is None:
            metric = metrics[key] = Metric(name=point.metric, unit=point.unit)
        _ADD.get(point.kind, _add_gauge)(metric, point, made)
    scope = ScopeMetrics(scope=SCOPE, metrics=metrics.values())
    return ResourceMetrics(resource=resource_of(frame), scope_metrics=[scope])


def _add_sum(metric: Any, point: Point, made: Attributes) -> None:
    metric.sum.aggregation_temporality = AGGREGATION_TEMPORALITY_DELTA
    metric.sum.is_monotonic = True
    metric.sum.data_points.add(
        time_unix_nano=max(0, point.time),
        as_double=point.value,
        attributes=made.of(point.attributes),
    )


def _add_gauge(metric: Any, point: Point, made: Attributes) -> None:
    metric.gauge.data_points.add(
        time_unix_nano=max(0, point.time),
        as_double=point.value,
        attributes=made.of(point.attributes),
    )


def _add_histogram(metric: Any, point: Point, made: Attributes) -> None:
    bounds, counts = histogram_of(point.buckets)
    metric.histogram.aggregation_temporality = AGGREGATION_TEMPORALITY_DELTA
    metric.histogram.data_points.add(
        time_unix_nano=max(0, point.time),
        # OTLP wants the counts to add up; ours do, unless a stranger wrote the point.
        count=sum(counts) if counts else max(0, point.count),
        sum=point.value,
        min=point.minimum,
        max=point.maximum,
        explicit_bounds=bounds,
        bucket_counts=counts,
        attributes=made.of(point.attributes),
    )


_ADD: dict[str, Callable[[Any, Point, Attributes], None]] = {
    "counter": _add_sum,
    "gauge": _add_gauge,
    "distribution": _add_histogram,
}


def histogram_of(buckets: Buckets) -> tuple[list[float], list[int]]:
    """Upper bounds and counts, one count more than bounds; both empty for no buckets."""
    if not buckets or len(buckets) > _MOST_BUCKETS:
        return [], []
    bounds: list[float] = []
    counts: list[int] = []
    for index in sorted(buckets):
        below, above = _borders(index)
        if not bounds or below > bounds[-1]:
            bounds.append(below)
            counts.append(0)
        if above > bounds[-1]:
            bounds.append(above)
            counts.append(0)
        counts[-1] += max(0, buckets[index])
    return bounds, [*counts, 0]


def _borders(index: int) -> tuple[float, float]:
    """What a bucket lies between; zero's reaches down to the largest negative one."""
    if index == ZERO:
        return -exp(-_MOST), 0.0
    if index < ZERO:
        below, above = _borders(2 * ZERO - index)
        return -above, -below
    return _power(index - 1), _power(index)


def _power(index: int) -> float:
    return exp(min(max(index * _LOG_GAMMA, -_MOST), _MOST))
