"""Distributions: buckets of theirs as buckets of ours, and what came in between two readings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import exp2, inf, isfinite, ldexp, sqrt
from typing import Any

import msgspec

from qmon_sdk.protocol.buckets import bucket_of, bucket_value
from qmon_sdk.protocol.signals import Buckets

_MOST_EXPONENT = 1023.0
_MOST = 1.7976931348623157e308


class Explicit(msgspec.Struct, frozen=True):
    """A histogram with bounds: counts of (−∞, first], …, (last, ∞)."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    count: int
    sum: float

    @property
    def is_sound(self) -> bool:
        """Whether its numbers fit each other, and ours."""
        fits = not self.counts or len(self.counts) == len(self.bounds) + 1
        return fits and all(map(isfinite, self.bounds)) and _are_counts(self, self.counts)

    def since(self, before: Explicit) -> Explicit | None:
        """What has come; None where it counts anew."""
        if self.bounds != before.bounds or len(self.counts) != len(before.counts):
            return None
        counts = tuple(now - then for now, then in zip(self.counts, before.counts, strict=True))
        if self.count < before.count or any(count < 0 for count in counts):
            return None
        return Explicit(self.bounds, counts, self.count - before.count, self.sum - before.sum)

    def spread(self, least: float, most: float) -> Iterator[tuple[float, int]]:
        """Each count at the middle of its bucket, as far as that lies within what was measured."""
        borders = (-inf, *self.bounds, inf)
        for place, count in enumerate(self.counts):
            if count > 0:
                yield _middle(max(borders[place], least), min(borders[place + 1], most)), count


class Exponential(msgspec.Struct, frozen=True):
    """A histogram whose bounds are powers of 2^(2^−scale)."""

    scale: int
    zero: int
    positive: dict[int, int]
    negative: dict[int, int]
    count: int
    sum: float

    @property
    def is_sound(self) -> bool:
        """Whether its numbers fit ours."""
        counts = (self.zero, *self.positive.values(), *self.negative.values())
        return _are_counts(self, counts)

    def since(self, before: Exponential) -> Exponential | None:
        """What has come; None where it counts anew. A scale may have become coarser."""
        shift = before.scale - self.scale
        if shift < 0 or self.count < before.count or self.zero < before.zero:
            return None
        positive = _without(self.positive, coarser(before.positive, shift))
        negative = _without(self.negative, coarser(before.negative, shift))
        if positive is None or negative is None:
            return None
        return Exponential(
            self.scale,
            self.zero - before.zero,
            positive,
            negative,
            self.count - before.count,
            self.sum - before.sum,
        )

    def spread(self, least: float, most: float) -> Iterator[tuple[float, int]]:
        """Each count at the middle of its bucket."""
        if self.zero > 0:
            yield 0.0, self.zero
        for sign, side in ((1, self.positive), (-1, self.negative)):
            for index, count in side.items():
                yield min(max(sign * _power(index, self.scale), least), most), count


Histogram = Explicit | Exponential


def since(now: Histogram, before: object) -> Histogram | None:
    """What has come since a reading before; None where there is none it follows from."""
    if isinstance(now, Explicit):
        return now.since(before) if isinstance(before, Explicit) else None
    return now.since(before) if isinstance(before, Exponential) else None


def explicit_of(point: Any) -> Explicit:
    """As it was told."""
    return Explicit(
        tuple(point.explicit_bounds or ()),
        tuple(point.bucket_counts or ()),
        point.count,
        point.sum if point.HasField("sum") else 0.0,
    )


def exponential_of(point: Any) -> Exponential:
    """As it was told."""
    return Exponential(
        point.scale,
        point.zero_count,
        _counts(point.positive),
        _counts(point.negative),
        point.count,
        point.sum if point.HasField("sum") else 0.0,
    )


def folded(pairs: Iterable[tuple[float, int]]) -> Buckets:
    """Values and how often each came, in our buckets."""
    buckets: Buckets = {}
    for value, count in pairs:
        index = bucket_of(value)
        buckets[index] = buckets.get(index, 0) + count
    return buckets


def range_of(buckets: Buckets) -> tuple[float, float]:
    """The least and the most there may have been, where nobody said so."""
    if not buckets:
        return 0.0, 0.0
    return bucket_value(min(buckets)), bucket_value(max(buckets))


def coarser(side: dict[int, int], shift: int) -> dict[int, int]:
    """The same in buckets each of which was 2^shift."""
    if shift == 0:
        return side
    merged: dict[int, int] = {}
    for index, count in side.items():
        place = index >> min(shift, 64)
        merged[place] = merged.get(place, 0) + count
    return merged


def _are_counts(told: Histogram, counts: Sequence[int]) -> bool:
    """Ours have a sign, and one bit less for it."""
    most = max(told.count, sum(counts))
    return isfinite(told.sum) and min((told.count, *counts)) >= 0 and most < 1 << 63


def _counts(side: Any) -> dict[int, int]:
    return {
        side.offset + place: count for place, count in enumerate(side.bucket_counts or ()) if count
    }


def _without(now: dict[int, int], then: dict[int, int]) -> dict[int, int] | None:
    rest = {index: count - then.get(index, 0) for index, count in now.items()}
    if any(count < 0 for count in rest.values()) or not then.keys() <= now.keys():
        return None
    return {index: count for index, count in rest.items() if count}


def _middle(low: float, high: float) -> float:
    if low >= high or low == -inf or high == inf:
        return min(max(high if low == -inf else low, -_MOST), _MOST)
    if low > 0:
        return sqrt(low) * sqrt(high)
    if high < 0:
        return -sqrt(-low) * sqrt(-high)
    return (low + high) / 2


def _power(index: int, scale: int) -> float:
    """The middle of (base^index, base^(index + 1)]; what no double holds, the largest that does."""
    try:
        exponent = ldexp(index + 0.5, -scale)
    except OverflowError:
        exponent = _MOST_EXPONENT if index >= 0 else -_MOST_EXPONENT
    return exp2(min(max(exponent, -_MOST_EXPONENT + 1), _MOST_EXPONENT))
