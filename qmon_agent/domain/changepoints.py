"""The moment at which the mean of a series became another: a self-starting CUSUM.

Cumulative sums (Page, Biometrika 41, 1954) of how many standard deviations each value is from the
mean of all before it (Hawkins, "Self-starting CUSUM charts for location and scale", The
Statistician 36, 1987), less an allowance of half a deviation, upwards and downwards. The limit is
chosen by how seldom it may be passed although nothing has changed: Siegmund's approximation of the
average run length of one side, (e^(2kb) − 2kb − 1) / 2k² with b = limit + 1.166 ("Sequential
Analysis", 1985); both sides together come to half of it. It holds for values that are independent
and normal; each is taken for at most four deviations, so that no single one is a change.
"""

from __future__ import annotations

from math import exp, sqrt

import msgspec

ALLOWANCE = 0.5
MOST = 4.0
_OVERSHOOT = 1.166
_SMALL = 1e-9


class Side(msgspec.Struct, frozen=True):
    """One of the two sums: how much, and of how many values of which total since it was nothing."""

    sum: float = 0.0
    n: int = 0
    total: float = 0.0


class Chart(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of all values before."""

    n: int = 0
    mean: float = 0.0
    square: float = 0.0
    up: Side = Side()
    down: Side = Side()


class Shift(msgspec.Struct, frozen=True):
    """A change of the mean."""

    before: float
    after: float


def limit_for(values: float) -> float:
    """The limit that is passed by chance once in so many values."""
    low, high = 0.0, 60.0
    while high - low > _SMALL:
        middle = (low + high) / 2
        if _run_length(middle) / 2 < values:
            low = middle
        else:
            high = middle
    return high


def charted(chart: Chart, value: float, *, learn: int, limit: float) -> tuple[Chart, Shift | None]:
    """The chart with one more value, and the change it has shown; then it begins anew."""
    up, down = chart.up, chart.down
    if chart.n >= learn:
        off = _standardized(chart, value)
        up, down = _summed(up, off, value), _summed(down, -off, value)
    shown = max(up, down, key=lambda side: side.sum)
    if shown.sum > limit:
        # What came since then is in the mean already, all but the value that has shown it.
        since, others = shown.total - value, chart.n - (shown.n - 1)
        before = (chart.mean * chart.n - since) / others if others > 0 else chart.mean
        return Chart(), Shift(before, shown.total / shown.n)
    n = chart.n + 1
    step = value - chart.mean
    mean = chart.mean + step / n
    square = chart.square + step * (value - mean)
    return Chart(n, mean, square, up, down), None


def _standardized(chart: Chart, value: float) -> float:
    variance = chart.square / max(1, chart.n - 1)
    # What never varied is taken to vary a little: a change of it is seen all the same.
    deviation = max(sqrt(max(variance, 0.0)), _SMALL * abs(chart.mean), 1e-300)
    off = (value - chart.mean) / (deviation * sqrt(1 + 1 / chart.n))
    return max(-MOST, min(MOST, off))


def _summed(side: Side, off: float, value: float) -> Side:
    summed = side.sum + off - ALLOWANCE
    return Side(summed, side.n + 1, side.total + value) if summed > 0 else Side()


def _run_length(limit: float) -> float:
    x = 2 * ALLOWANCE * (limit + _OVERSHOOT)
    return (exp(x) - x - 1) / (2 * ALLOWANCE**2)
