"""Native histograms of Prometheus: sparse buckets, exponential or with bounds of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import Any

from qmon_agent.ingest.heaps import Heap, Part, add_power, heap_of_parts

CUSTOM = -53
_SCHEMAS = range(-4, 9)
_MOST_BUCKETS = 10_000
IS_GAUGE = 3
BEGAN_AGAIN = 1


class NativeError(ValueError):
    """A histogram that cannot be."""


def heap_of(histogram: Any) -> Heap:
    """Of a histogram as the message has it; raises NativeError."""
    parts: dict[Part, float] = {}
    if histogram.schema == CUSTOM:
        bounds = histogram.custom_values
        for index, count in _counts(histogram, "positive"):
            parts[_between(bounds, index)] = count
    elif histogram.schema in _SCHEMAS:
        _add_exponential(parts, histogram)
    else:
        raise NativeError(f"schema {histogram.schema} is not known")
    if any(not 0 <= count < inf for count in parts.values()):
        raise NativeError("a bucket with less than nothing in it")
    by_powers = histogram.schema != CUSTOM
    return heap_of_parts(parts, total=histogram.sum, by_powers=by_powers)


def _add_exponential(parts: dict[Part, float], histogram: Any) -> None:
    """Theirs are numbered by their upper bounds."""
    zeros = histogram.zero_count_int or histogram.zero_count_float
    if zeros:
        width = abs(getattr(histogram, "zero_threshold", 0.0))
        parts[-width, width] = zeros
    for sign, side in ((1, "positive"), (-1, "negative")):
        for index, count in _counts(histogram, side):
            add_power(parts, index - 1, histogram.schema, count=count, sign=sign)


def _counts(histogram: Any, side: str) -> Iterator[tuple[int, float]]:
    """Index and count of every bucket, as spans and differences, or spans and counts, tell them."""
    indices = list(_indices(getattr(histogram, f"{side}_spans")))
    floats = getattr(histogram, f"{side}_counts")
    counts: Sequence[float] = floats or [*_summed(getattr(histogram, f"{side}_deltas"))]
    if len(counts) != len(indices):
        raise NativeError("spans and counts do not fit together")
    yield from zip(indices, counts, strict=True)


def _indices(spans: Sequence[Any]) -> Iterator[int]:
    index, seen = 0, 0
    for span in spans:
        index += span.offset
        seen += span.length
        if seen > _MOST_BUCKETS:
            raise NativeError("too many buckets")
        yield from range(index, index + span.length)
        index += span.length


def _summed(deltas: Sequence[int]) -> Iterator[int]:
    count = 0
    for delta in deltas:
        count += delta
        yield count


def _between(bounds: Sequence[float], index: int) -> Part:
    if not 0 <= index <= len(bounds):
        raise NativeError("a bucket without bounds")
    lower = bounds[index - 1] if index else -inf
    upper = bounds[index] if index < len(bounds) else inf
    if not lower < upper:
        raise NativeError("bounds that are in no order")
    return lower, upper
