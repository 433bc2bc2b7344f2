"""When an error that is known comes so much more often that it is news again.

The limit for an hour is made of the hours of the week before it: of their mean m, the mean w that
weighs an hour the more the newer it is, their standard deviation s, its share cv = s / m, and their
largest M, it is the larger of w + min(max((m + 5 s) / m, 5), 8) m, for what is steady, and
M min(max(2, 5 e^(−0.65 cv)), 5), for what comes in bursts. Sentry escalates archived issues by
limits of this form. An error younger than a week has ten times its largest hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from statistics import fmean, pstdev

HOURS = 168
_YOUNG = 10.0


def limit_of(hours: Sequence[float]) -> float:
    """The most an hour may have, by all complete hours since the first, a week's at most."""
    if not hours or not any(hours):
        return float("inf")
    largest = max(hours)
    if len(hours) < HOURS:
        return _YOUNG * largest
    mean, spread = fmean(hours), pstdev(hours)
    weights = range(1, len(hours) + 1)
    weighted = sum(map(float.__mul__, map(float, weights), map(float, hours))) / sum(weights)
    spike = weighted + min(max((mean + 5 * spread) / mean, 5.0), 8.0) * mean
    bursty = largest * min(max(2.0, 5 * exp(-0.65 * spread / mean)), 5.0)
    return max(spike, bursty)
