"""Distributions in a window: a bounded sketch for each of its bins, as plain JSON.

The sketch is the wire's (`qmon_sdk.protocol.buckets`, DDSketch). A row is its bin, and then index
and count of each bucket by turns. As in DDSketch, the lowest buckets are put together when there
are too many, so that high percentiles stay exact to 2 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import cast

from qmon_sdk.protocol.buckets import bucket_of
from qmon_sdk.protocol.signals import Point

from .windows import Row, Rows, put

MOST = 256
"""The most buckets a bin has: at 2 %, values of four orders of magnitude and more."""


def sketch_of(point: Point) -> dict[int, int]:
    """What a point tells of a distribution: its buckets, or its one value."""
    if point.kind == "distribution" and point.buckets:
        return point.buckets
    of = point.value / point.count if point.kind == "distribution" and point.count else point.value
    return {bucket_of(of): max(1, point.count)} if isfinite(of) else {}


def pairs_of(sketch: dict[int, int]) -> list[int]:
    """Index and count of each bucket by turns, the lowest together where there are too many."""
    counts = sorted(sketch.items())
    if len(counts) > MOST:
        low, counts = counts[: 1 - MOST], counts[1 - MOST :]
        counts.insert(0, (low[-1][0], sum(count for _, count in low)))
    return [number for pair in counts for number in pair]


def joined(rows: Rows, *, past: Sequence[float] = ()) -> dict[int, int]:
    """What all the rows hold together, and what is known already in pairs."""
    numbers = iter(past)
    # Whole numbers are whole in JSON as well: nothing to turn into any.
    whole = cast("dict[int, int]", dict(zip(numbers, numbers, strict=True)))
    _count(whole, rows, 1)
    return whole


def added(rows: Rows, at: int, pairs: Sequence[int], *, keep: int) -> list[Row]:
    """The rows with a sketch added to the bin `at`."""
    if rows and rows[-1][0] >= at:
        pairs = pairs_of(joined(rows[-1:], past=pairs))
    return put(rows, at, pairs, keep=keep)


def moved(past: Sequence[float], *, came: Rows, went: Rows) -> list[int] | None:
    """What rows hold together after some came and some went; `None` if that has to be seen anew."""
    if len(past) >= 2 * MOST:
        return None  # whose the lowest buckets are is not known any more
    whole = joined(came, past=past)
    _count(whole, went, -1)
    return pairs_of(whole)


def _count(whole: dict[int, int], rows: Rows, times: int) -> None:
    for row in rows:
        numbers = iter(cast("Sequence[int]", row))
        next(numbers)  # the bin
        for index, count in zip(numbers, numbers, strict=True):
            left = whole.get(index, 0) + times * count
            if left > 0:
                whole[index] = left
            else:
                whole.pop(index, None)
