"""Distributions as log buckets: any two fold into one, and a quantile is off by 2 % at most.

The formula is DDSketch's (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch
with relative-error guarantees", VLDB 2019): with relative accuracy α = 0.02 and
γ = (1 + α) / (1 − α), a value v > 0 belongs to bucket ⌈log v / log γ⌉, whose middle
2 γ^i / (γ + 1) is within α of every value in it. Negative values take the bucket of their
magnitude, shifted below every positive one; zero has a bucket of its own between the two.
"""

from __future__ import annotations

from math import ceil, exp, isfinite, log

ACCURACY = 0.02
GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
ZERO = -100_000
"""The bucket of zero: lower than the bucket of the smallest positive double (about −18,600)."""

_LOG_GAMMA = log(GAMMA)
_HALF = log((GAMMA + 1) / 2)
_LARGEST = 709.78  # exp of more than this is no double
_SMALLEST = 2.2250738585072014e-308


def bucket_of(value: float) -> int:
    """Index of the bucket `value` falls in; raises `ValueError` for NaN and infinities."""
    if value >= _SMALLEST and isfinite(value):
        return ceil(log(value) / _LOG_GAMMA)
    if not isfinite(value):
        message = f"a distribution holds finite numbers only, not {value}"
        raise ValueError(message)
    if value > -_SMALLEST:
        return ZERO
    return 2 * ZERO - ceil(log(-value) / _LOG_GAMMA)


def bucket_value(index: int) -> float:
    """Return the value that stands for a bucket, within `ACCURACY` of all that fell in it."""
    if index == ZERO:
        return 0.0
    if index < ZERO:
        return -bucket_value(2 * ZERO - index)
    return exp(min(index * _LOG_GAMMA - _HALF, _LARGEST))


def quantile(buckets: dict[int, int], q: float) -> float:
    """Estimate the `q`-quantile (0 ≤ q ≤ 1) of what was folded; 0.0 of nothing."""
    total = sum(buckets.values())
    if not total:
        return 0.0
    rank, passed = q * (total - 1), 0
    for index in sorted(buckets):
        passed += buckets[index]
        if passed > rank:
            return bucket_value(index)
    return bucket_value(max(buckets))


def fold(parts: list[dict[int, int]]) -> dict[int, int]:
    """Add distributions up; the fold of parts is the fold of the whole."""
    whole: dict[int, int] = {}
    for part in parts:
        for index, count in part.items():
            whole[index] = whole.get(index, 0) + count
    return whole
