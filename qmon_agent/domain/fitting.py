"""A straight line through points, and when it will reach a value.

Ordinary least squares (Legendre 1805): slope = Σ(t − t̄)(v − v̄) / Σ(t − t̄)², through the middle of
the points. How well it fits is the share of the variance it explains, R² (Wright 1921), which is 1
for points that all have the same value.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite

import msgspec


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """A line by its slope per unit of time and its value at the newest time."""

    slope: float
    value: float
    fit: float


def fitted(times: Sequence[float], values: Sequence[float]) -> Trend:
    """The line through at least two points of different times; flat where there are none."""
    middle, level = sum(times) / len(times), sum(values) / len(values)
    spread = sum((time - middle) ** 2 for time in times)
    along = sum((t - middle) * (v - level) for t, v in zip(times, values, strict=True))
    varied = sum((value - level) ** 2 for value in values)
    slope = along / spread if spread > 0 else 0.0
    fit = along * along / (spread * varied) if spread * varied > 0 else 1.0
    return Trend(slope=slope, value=level + slope * (times[-1] - middle), fit=min(1.0, fit))


def time_until(trend: Trend, bound: float) -> float:
    """How long until the line reaches the bound: nothing if it is there, never if it goes away."""
    way = bound - trend.value
    if way == 0:
        return 0.0
    left = way / trend.slope if trend.slope else inf
    return left if left >= 0 and isfinite(left) else inf
