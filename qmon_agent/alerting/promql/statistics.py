"""What is made of several numbers at once, as Prometheus makes it of NaN and infinities."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def total(values: Sequence[float]) -> float:
    """Exact, but for infinities, and sums beyond all doubles."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):
        return sum(values)


def mean(values: Sequence[float]) -> float:
    """Never more than the largest, even where their sum would be."""
    whole = total(values)
    if math.isinf(whole) and all(map(math.isfinite, values)):
        return total([value / len(values) for value in values])
    return whole / len(values)


def least(values: Iterable[float]) -> float:
    """NaN only where there is nothing else."""
    found = math.nan
    for value in values:
        if value < found or math.isnan(found):
            found = value
    return found


def greatest(values: Iterable[float]) -> float:
    """NaN only where there is nothing else."""
    found = math.nan
    for value in values:
        if value > found or math.isnan(found):
            found = value
    return found


def variance(values: Sequence[float]) -> float:
    """Of all there is, not of a sample."""
    middle = mean(values)
    if not math.isfinite(middle):
        return math.nan
    away = [value - middle for value in values]
    return total([distance * distance for distance in away]) / len(values)


def deviation(values: Sequence[float]) -> float:
    """The root of the variance."""
    return math.sqrt(variance(values))


def quantile(share: float, values: Iterable[float]) -> float:
    """Between the two nearest; NaN is less than everything."""
    ranked = ordered(values)
    if not ranked or math.isnan(share):
        return math.nan
    if share < 0:
        return -math.inf
    if share > 1:
        return math.inf
    rank = share * (len(ranked) - 1)
    lower = math.floor(rank)
    upper = min(len(ranked) - 1, lower + 1)
    weight = rank - lower
    return ranked[lower] * (1 - weight) + ranked[upper] * weight


def ordered(values: Iterable[float]) -> list[float]:
    """Ascending, NaN first."""
    return sorted(values, key=lambda value: (not math.isnan(value), value))


def regression(
    times: Sequence[int], values: Sequence[float], *, origin: int
) -> tuple[float, float]:
    """Slope by second, and the value at `origin`, of the line through samples at milliseconds."""
    if all(value == values[0] for value in values):
        return (math.nan, math.nan) if math.isinf(values[0]) else (0.0, values[0])
    seconds = [(time - origin) / 1000 for time in times]
    count = len(seconds)
    along, up = total(seconds), total(values)
    spread = total([x * x for x in seconds]) - along * along / count
    shared = total([x * y for x, y in zip(seconds, values, strict=True)]) - along * up / count
    slope = shared / spread if spread else math.nan
    return slope, up / count - slope * along / count
