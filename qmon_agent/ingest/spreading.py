"""Histograms of other systems as our buckets: every count is kept, its place as near as is known.

Where only the bounds of a bucket are known, its counts are spread evenly between them, as
Prometheus does when it is asked for a quantile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf, isfinite

import msgspec

from qmon_sdk.protocol.buckets import bucket_of
from qmon_sdk.protocol.signals import Point

_PIECES = 32
MOST = 1 << 40
"""Of one bucket; sums stay within 64 bits."""


class Spread(msgspec.Struct, kw_only=True):
    """Buckets, and between which values they are."""

    buckets: dict[int, int] = {}
    minimum: float = inf
    maximum: float = -inf

    @property
    def count(self) -> int:
        return sum(self.buckets.values())

    def add(self, lower: float, upper: float, *, count: int) -> None:
        """Adds `count` values between two bounds, one of which may be infinite."""
        if count <= 0:
            return
        count = min(count, MOST)
        lower, upper = _finite(lower, upper)
        pieces = min(count, _PIECES) if upper > lower else 1
        for piece in range(pieces):
            place = (piece + 0.5) / pieces
            value = lower * (1 - place) + upper * place
            share = count * (piece + 1) // pieces - count * piece // pieces
            index = bucket_of(value)
            self.buckets[index] = self.buckets.get(index, 0) + share
        self._reach(lower, upper)

    def point(self, total: float, **told: object) -> Point:
        """A distribution; `told` is the rest of its fields."""
        count = self.count
        fields = {
            "kind": "distribution",
            "value": total if isfinite(total) else 0.0,
            "count": count,
            "minimum": self.minimum if count else 0.0,
            "maximum": self.maximum if count else 0.0,
            "buckets": self.buckets,
        }
        return Point(**{**fields, **told})  # type: ignore[arg-type]  # the fields of a point

    def _reach(self, lower: float, upper: float) -> None:
        self.minimum = min(self.minimum, lower)
        self.maximum = max(self.maximum, upper)


def spread(bounds: Sequence[float], counts: Iterable[int]) -> Spread:
    """Of upper bounds in their order, the last perhaps infinite, and how many are in each."""
    result = Spread(buckets={})
    lower = -inf
    for upper, count in zip(bounds, counts, strict=True):
        result.add(lower, upper, count=count)
        lower = upper
    return result


def _finite(lower: float, upper: float) -> tuple[float, float]:
    """The first bucket begins at zero where it can; the last one is at its lower bound."""
    if lower == -inf:
        lower = 0.0 if upper > 0 else upper
    if upper == inf:
        upper = lower
    if not isfinite(lower):
        lower = 0.0
    return lower, max(lower, upper if isfinite(upper) else lower)
