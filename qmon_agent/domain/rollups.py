"""Rollups: what many points or spans of one series say together, in a fixed and small form.

A part says it of some rows, and any two parts of a series fold into one: in any order, however the
rows were shared out among them. So what comes late is one more part, and nothing is changed.
Sums of doubles are the same but for rounding; everything else is the same to the bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isfinite

import msgspec

from qmon_sdk.protocol.buckets import bucket_of, fold, quantile
from qmon_sdk.protocol.signals import Point, Span

COUNTER = "counter"
ERROR = "error"


class PointPart(msgspec.Struct, frozen=True, kw_only=True):
    """What points of one series say together; values are in the metric's own unit."""

    points: int = 0
    """How many there were: `sum / points` is the average of a gauge."""
    sum: float = 0.0
    """Of the values: of a counter its growth, of a distribution all that was measured."""
    count: int = 0
    """Of measurements: `sum / count` is the mean of a distribution."""
    minimum: float = inf
    maximum: float = -inf
    last: float = -inf
    """The value of the newest point, the larger one of two at the same time."""
    last_time: int = -(1 << 63)
    buckets: dict[int, int] = {}
    """The values as log buckets, within 2 %; a counter has none, as its deltas depend on pace."""


class SpanPart(msgspec.Struct, frozen=True, kw_only=True):
    """What spans of one kind say together: requests, errors and durations."""

    requests: int = 0
    errors: int = 0
    duration_ns: int = 0
    """All of them together."""
    minimum_ns: int = (1 << 63) - 1
    maximum_ns: int = -(1 << 63)
    buckets: dict[int, int] = {}
    """The durations in nanoseconds as log buckets, within 2 %."""


def start_of(time: int, width: int) -> int:
    """When the stretch of `width` ns began that a time is in; stretches are counted from 1970."""
    return time - time % width


def of_point(point: Point) -> PointPart:
    """What one point says; nothing if its value is no number."""
    if not isfinite(point.value):
        return PointPart()
    is_spread = point.kind == "distribution" and bool(point.buckets)
    return PointPart(
        points=1,
        sum=point.value,
        count=point.count,
        minimum=point.minimum if point.kind == "distribution" else point.value,
        maximum=point.maximum if point.kind == "distribution" else point.value,
        last=point.value,
        last_time=point.time,
        buckets=dict(point.buckets) if is_spread else _single(point),
    )


def _single(point: Point) -> dict[int, int]:
    """The bucket of the one value that is known: of a distribution without buckets, its mean."""
    if point.kind == COUNTER:
        return {}
    if point.kind == "distribution":
        return {bucket_of(point.value / max(1, point.count)): max(1, point.count)}
    return {bucket_of(point.value): 1}


def of_span(span: Span) -> SpanPart:
    """What one span says."""
    return SpanPart(
        requests=1,
        errors=int(span.status == ERROR),
        duration_ns=span.duration_ns,
        minimum_ns=span.duration_ns,
        maximum_ns=span.duration_ns,
        buckets={bucket_of(float(span.duration_ns)): 1},
    )


def points_together(parts: Iterable[PointPart]) -> PointPart:
    """One part that says what all of them say."""
    known = list(parts)
    newest = max(((part.last_time, part.last) for part in known), default=(-(1 << 63), -inf))
    return PointPart(
        points=sum(part.points for part in known),
        sum=sum(part.sum for part in known),
        count=sum(part.count for part in known),
        minimum=min((part.minimum for part in known), default=inf),
        maximum=max((part.maximum for part in known), default=-inf),
        last=newest[1],
        last_time=newest[0],
        buckets=fold([part.buckets for part in known]),
    )


def spans_together(parts: Iterable[SpanPart]) -> SpanPart:
    """One part that says what all of them say."""
    known, none = list(parts), SpanPart()
    return SpanPart(
        requests=sum(part.requests for part in known),
        errors=sum(part.errors for part in known),
        duration_ns=sum(part.duration_ns for part in known),
        minimum_ns=min((part.minimum_ns for part in known), default=none.minimum_ns),
        maximum_ns=max((part.maximum_ns for part in known), default=none.maximum_ns),
        buckets=fold([part.buckets for part in known]),
    )


def quantile_of(part: PointPart | SpanPart, q: float) -> float:
    """The `q`-quantile (0 ≤ q ≤ 1) within 2 %; 0.0 where there are no buckets."""
    return quantile(part.buckets, q)
