"""OTLP's metrics as they are written in JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from .json_messages import Message, Number, Raws, Resource, Scope


class NumberPoint(Message):
    """One number of a gauge or a sum."""

    attributes: Raws = None
    start_time_unix_nano: int = 0
    time_unix_nano: int = 0
    as_double: float | None = None
    as_int: int | None = None
    exemplars: list[Any] | None = None
    flags: int = 0


class HistogramPoint(Message):
    """One histogram."""

    attributes: Raws = None
    start_time_unix_nano: int = 0
    time_unix_nano: int = 0
    count: int = 0
    sum: float | None = None
    bucket_counts: list[int] | None = None
    explicit_bounds: list[float] | None = None
    exemplars: list[Any] | None = None
    flags: int = 0
    min: float | None = None
    max: float | None = None


class Buckets(Message):
    """One side of an exponential histogram."""

    offset: int = 0
    bucket_counts: list[int] | None = None


class ExponentialPoint(Message):
    """One exponential histogram."""

    attributes: Raws = None
    start_time_unix_nano: int = 0
    time_unix_nano: int = 0
    count: int = 0
    sum: float | None = None
    scale: int = 0
    zero_count: int = 0
    positive: Buckets = msgspec.field(default_factory=Buckets)
    negative: Buckets = msgspec.field(default_factory=Buckets)
    exemplars: list[Any] | None = None
    flags: int = 0
    min: float | None = None
    max: float | None = None


class Quantile(Message):
    """One quantile of a summary."""

    quantile: float = 0.0
    value: float = 0.0


class SummaryPoint(Message):
    """One summary."""

    attributes: Raws = None
    start_time_unix_nano: int = 0
    time_unix_nano: int = 0
    count: int = 0
    sum: float = 0.0
    quantile_values: list[Quantile] | None = None
    flags: int = 0


class Gauge(Message):
    """Last values."""

    data_points: list[NumberPoint] | None = None


class Sum(Message):
    """Sums, since a start or since the last time."""

    data_points: list[NumberPoint] | None = None
    aggregation_temporality: Number = 0
    is_monotonic: bool = False


class Histogram(Message):
    """Histograms with bounds."""

    data_points: list[HistogramPoint] | None = None
    aggregation_temporality: Number = 0


class ExponentialHistogram(Message):
    """Histograms with bounds that follow from a scale."""

    data_points: list[ExponentialPoint] | None = None
    aggregation_temporality: Number = 0


class Summary(Message):
    """Summaries."""

    data_points: list[SummaryPoint] | None = None


class Metric(Message):
    """One metric: one of these is said."""

    name: str | None = None
    unit: str | None = None
    gauge: Gauge | None = None
    sum: Sum | None = None
    histogram: Histogram | None = None
    exponential_histogram: ExponentialHistogram | None = None
    summary: Summary | None = None


class ScopeMetrics(Message):
    """Metrics of one library."""

    scope: Scope = msgspec.field(default_factory=Scope)
    metrics: list[Metric] | None = None


class ResourceMetrics(Message):
    """Metrics of one process."""

    resource: Resource = msgspec.field(default_factory=Resource)
    scope_metrics: list[ScopeMetrics] | None = None


class Metrics(Message):
    """The body of `/v1/metrics`."""

    resource_metrics: list[ResourceMetrics] | None = None
