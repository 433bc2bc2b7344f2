"""A metric reader for OpenTelemetry's SDK, read by qmon's own thread: its numbers become points."""

from __future__ import annotations

from time import monotonic
from weakref import ref

from opentelemetry.sdk.metrics import Counter, Histogram, ObservableCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    Gauge,
    MetricReader,
    Sum,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

from qmon_sdk.client import current, guarded
from qmon_sdk.protocol.buckets import ZERO, bucket_of
from qmon_sdk.protocol.signals import NO_BUCKETS, Point
from qmon_sdk.rendering import label
from qmon_sdk.series import COUNTER, DISTRIBUTION, GAUGE
from qmon_sdk.start import flush

from .polled import Question, interval_s
from .resource import Scope
from .values import snapshot, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_DELTA = AggregationTemporality.DELTA


class QmonMetricReader(MetricReader):
    """`MeterProvider(metric_readers=[QmonMetricReader()])`; it has no thread of its own.

    Distributions are read from the SDK's exponential buckets, each counted at its middle.
    """

    def __init__(self, provider: Any = None) -> None:
        super().__init__(
            preferred_temporality=dict.fromkeys((Counter, Histogram, ObservableCounter), _DELTA),
            preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation(max_size=320)},
        )
        self._points: list[Point] = []
        self._due = 0.0
        self._interval = interval_s()
        # A provider forgets to shut down readers that were added to it.
        self._provider = ref(provider) if provider is not None else None
        self._question = Question(self.poll)
        self._question.begin()

    def poll(self, *, now: bool) -> list[Point]:
        """Collect, if it is time or has to be `now`."""
        if self._provider is not None and getattr(self._provider(), "_shutdown", True):
            self._question.end()
            return []
        if not current().recording or not (now or monotonic() >= self._due):
            return []
        self._due = monotonic() + self._interval
        self.collect()
        points, self._points = self._points, []
        return points

    @guarded
    def _receive_metrics(self, metrics_data: Any, timeout_millis: float = 10_000, **_: Any) -> None:
        for of_resource in metrics_data.resource_metrics:
            for of_scope in of_resource.scope_metrics:
                scope = of_scope.scope
                labels = Scope(scope.name, scope.version).labels()
                for metric in of_scope.metrics:
                    self._points += _points_of(metric, labels)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Collect, and send what there is."""
        return flush(timeout_millis / 1000)

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """Collect no more."""
        flush(min(timeout_millis / 1000, 2.0))
        self._question.end()


def _points_of(metric: Any, labels: dict[str, str]) -> Iterator[Point]:
    data = metric.data
    kind = GAUGE
    if isinstance(data, Sum) and data.is_monotonic:
        kind = COUNTER
    scrubber = current().scrubber
    for told in data.data_points:
        attributes = {
            key: text(snapshot(value), scrubber.hides)
            for key, value in (told.attributes or {}).items()
        }
        point = Point(
            time=told.time_unix_nano,
            metric=label(metric.name, 255),
            kind=kind,
            unit=label(metric.unit or ""),
            attributes={**scrubber.labels(attributes), **labels},
        )
        if isinstance(data, ExponentialHistogram):
            yield _distribution(point, told)
        elif isinstance(data, Sum | Gauge):
            value = float(told.value)
            yield point.replace(value=value, minimum=value, maximum=value)


def _distribution(point: Point, told: Any) -> Point:
    buckets: dict[int, int] = {ZERO: told.zero_count} if told.zero_count else {}
    for theirs, sign in ((told.positive, 1), (told.negative, -1)):
        for place, count in enumerate(theirs.bucket_counts):
            if count:
                middle = 2.0 ** ((theirs.offset + place + 0.5) / 2.0**told.scale)
                ours = bucket_of(sign * middle)
                buckets[ours] = buckets.get(ours, 0) + count
    return point.replace(
        kind=DISTRIBUTION,
        value=float(told.sum),
        count=told.count,
        minimum=float(told.min),
        maximum=float(told.max),
        buckets=buckets or NO_BUCKETS,
    )
