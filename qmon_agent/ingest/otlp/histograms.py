"""Distributions as OTLP tells them: with bounds, or with powers for bounds."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite
from typing import Any

from qmon_agent.ingest.heaps import Heap, Part, add_power, heap_between, heap_of_parts

_MOST = 1 << 63  # ours have a sign, and one bit less for it


def explicit_of(point: Any) -> Heap | None:
    """Counts of (−∞, first], …, (last, ∞); None where its numbers do not fit each other."""
    bounds, counts = tuple(point.explicit_bounds or ()), tuple(point.bucket_counts or ())
    if not counts:
        bounds, counts = (), (point.count,)
    fits = len(counts) == len(bounds) + 1 and [*bounds] == sorted(set(bounds))
    if not (fits and all(map(isfinite, bounds)) and _are_counts(point, counts)):
        return None
    return _ranged(heap_between((-inf, *bounds, inf), counts, total=_sum(point)), point)


def exponential_of(point: Any) -> Heap | None:
    """Counts between powers of 2^(2^−scale), and those of next to nothing."""
    parts: dict[Part, float] = {}
    if point.zero_count:
        width = getattr(point, "zero_threshold", 0.0) or 0.0
        parts[-abs(width), abs(width)] = point.zero_count
    counts = [point.zero_count or 0]
    for sign, side in ((1, point.positive), (-1, point.negative)):
        for place, count in enumerate(side.bucket_counts or ()):
            if count:
                counts.append(count)
                add_power(parts, side.offset + place, point.scale, count=count, sign=sign)
    if not _are_counts(point, counts):
        return None
    return _ranged(heap_of_parts(parts, total=_sum(point), by_powers=True), point)


def _sum(point: Any) -> float:
    return float(point.sum) if point.HasField("sum") else 0.0


def _are_counts(point: Any, counts: Sequence[int]) -> bool:
    most = max(point.count, sum(counts))
    return isfinite(_sum(point)) and min((point.count, *counts)) >= 0 and most < _MOST


def _ranged(heap: Heap, point: Any) -> Heap:
    """With the range that it tells, if it does."""
    least = point.min if point.HasField("min") and isfinite(point.min) else -inf
    most = point.max if point.HasField("max") and isfinite(point.max) else inf
    return Heap(
        parts=heap.parts,
        counts=heap.counts,
        count=float(point.count),
        total=heap.total,
        least=least,
        most=most,
        by_powers=heap.by_powers,
    )
