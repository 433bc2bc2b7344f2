"""`histogram_quantile` of classic buckets."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator

from .evaluation import Moment, Vector, gathered
from .labels import NAMELESS, Labels, cut_of
from .tree import Node

_BOUND = "le"
_BOUNDLESS = cut_of([_BOUND], keeps=False)
_FEWEST = 2

Bucket = tuple[float, float]
"""An upper bound, and how many are not above it."""


class HistogramQuantile(Node):
    """`histogram_quantile(0.9, ...)`: a value for each set of labels but `le`."""

    def __init__(self, share: Node, inner: Node) -> None:
        self.children = (share, inner)

    def run(self, moment: Moment) -> Vector:
        share, inner = self.children
        return gathered(self._found(moment.scalar(share), moment.vector(inner)))

    def _found(self, share: float, vector: Vector) -> Iterator[tuple[Labels, float]]:
        heaps: dict[Labels, list[Bucket]] = {}
        for labels, value in vector.items():
            bound = bound_of(labels.get(_BOUND))
            if bound is not None:
                heaps.setdefault(labels.cut(_BOUNDLESS), []).append((bound, value))
        for labels, buckets in heaps.items():
            yield labels.cut(NAMELESS), bucket_quantile(share, buckets)


def bound_of(text: str) -> float | None:
    """What `le` says, if it is a number."""
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def bucket_quantile(share: float, buckets: list[Bucket]) -> float:
    """Between the bounds of its bucket as if all in it were spread evenly."""
    if math.isnan(share):
        return math.nan
    if not 0 <= share <= 1:
        return math.copysign(math.inf, share)
    whole = _summed(buckets)
    if len(whole) < _FEWEST or whole[-1][0] != math.inf or not whole[-1][1]:
        return math.nan
    return _interpolated(share * whole[-1][1], whole)


def _summed(buckets: list[Bucket]) -> list[Bucket]:
    """Ascending, each bound once, and never fewer than below it."""
    by_bound: dict[float, float] = {}
    for bound, count in buckets:
        by_bound[bound] = by_bound.get(bound, 0.0) + count
    found: list[Bucket] = []
    for bound in sorted(by_bound):
        count = by_bound[bound]
        if found and count < found[-1][1]:
            count = found[-1][1]
        found.append((bound, count))
    return found


def _interpolated(rank: float, buckets: list[Bucket]) -> float:
    place = _place(rank, buckets)
    bound, count = buckets[place]
    if place == len(buckets) - 1:
        return buckets[-2][0]
    if place == 0 and bound <= 0:
        return bound
    below, before = buckets[place - 1] if place else (0.0, 0.0)
    share = (rank - before) / (count - before) if count != before else math.nan
    return below + (bound - below) * share


def _place(rank: float, buckets: list[Bucket]) -> int:
    if math.isnan(rank):
        return len(buckets) - 1
    return bisect_left(buckets[:-1], rank, key=lambda bucket: bucket[1])
