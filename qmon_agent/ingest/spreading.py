"""Counts between bounds as our buckets: every count is kept, its place as near as is known.

Where only the bounds are known, the counts are spread evenly between them, as Prometheus does when
it is asked for a quantile: over the values, or over their logarithms where the bounds are powers.
"""

from __future__ import annotations

from math import inf, isfinite

import msgspec

from qmon_sdk.protocol.buckets import bucket_of

_PIECES = 32
MOST = 1 << 40
"""Of one bucket; sums stay within 64 bits."""
_LARGEST = 1.7976931348623157e308


class Spread(msgspec.Struct, kw_only=True):
    """Buckets, and between which values they are."""

    buckets: dict[int, int] = {}
    minimum: float = inf
    maximum: float = -inf

    @property
    def count(self) -> int:
        return sum(self.buckets.values())

    @property
    def range(self) -> tuple[float, float]:
        """Of nothing it is 0 to 0."""
        return (self.minimum, self.maximum) if self.buckets else (0.0, 0.0)

    def add(self, lower: float, upper: float, *, count: int, by_powers: bool = False) -> None:
        """Adds `count` values between two bounds, one of which may be infinite."""
        if count <= 0:
            return
        count = min(count, MOST)
        lower, upper = _finite(lower, upper)
        if by_powers and lower <= 0 <= upper:
            lower = upper = 0.0  # what is next to nothing is told as nothing
        pieces = min(count, _PIECES) if upper > lower else 1
        for piece in range(pieces):
            place = (piece + 0.5) / pieces
            value = _at(place, lower, upper, by_powers=by_powers)
            share = count * (piece + 1) // pieces - count * piece // pieces
            index = bucket_of(value)
            self.buckets[index] = self.buckets.get(index, 0) + share
        self.minimum = min(self.minimum, lower)
        self.maximum = max(self.maximum, upper)


def _at(place: float, lower: float, upper: float, *, by_powers: bool) -> float:
    if not by_powers or lower == upper:
        return lower * (1 - place) + upper * place
    sign = 1 if lower > 0 else -1
    return float(sign * abs(lower) ** (1 - place) * abs(upper) ** place)


def _finite(lower: float, upper: float) -> tuple[float, float]:
    """The first bucket begins at zero where it can; the last one is at its lower bound."""
    if lower == -inf:
        lower = 0.0 if upper > 0 else upper
    if upper == inf:
        upper = lower
    if not isfinite(lower):
        lower = 0.0
    lower = min(max(lower, -_LARGEST), _LARGEST)
    return lower, max(lower, upper if isfinite(upper) else lower)
