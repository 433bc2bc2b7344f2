"""When what grows is as large as it may become: of a budget of bytes, by the line through the past.

The line is that of `fitting` (least squares, Legendre 1805), its quality R² (Wright 1921). How far
ahead it is believed is a convention of ours: twelve times as far as it was seen, and only from six
hours on, so that the least that is said is three days.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from .fitting import fitted, time_until

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S
LEAST_S = 6 * HOUR_S
"""Of the past that has to be known before anything is said."""
AHEAD = 12
MIN_FIT = 0.5
"""How much of what varied the line has to explain before a day is named."""


class Filling(msgspec.Struct, frozen=True, kw_only=True):
    """What is said: it is full in so many days, not before so many, or nobody knows."""

    verdict: Literal["unknown", "full_in", "not_before"]
    days: float | None = None
    """None if unknown."""


UNKNOWN = Filling(verdict="unknown")


def filled(samples: Sequence[tuple[float, int]], budget: int) -> Filling:
    """When a budget of bytes is reached; `samples` are seconds of a steady clock, with bytes.

    They are in the order of their times. What is over the budget is full now, whatever is known.
    """
    if not samples:
        return UNKNOWN
    if samples[-1][1] >= budget:
        return Filling(verdict="full_in", days=0.0)
    seen = samples[-1][0] - samples[0][0]
    return UNKNOWN if seen < LEAST_S else _along(samples, budget, seen)


def _along(samples: Sequence[tuple[float, int]], budget: int, seen: float) -> Filling:
    began = samples[0][0]
    trend = fitted([time - began for time, _ in samples], [float(size) for _, size in samples])
    left = time_until(trend, budget) if trend.value < budget else 0.0
    if left >= AHEAD * seen:
        return Filling(verdict="not_before", days=AHEAD * seen / DAY_S)
    if trend.fit < MIN_FIT:
        return UNKNOWN
    return Filling(verdict="full_in", days=left / DAY_S)
