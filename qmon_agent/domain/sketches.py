"""Distributions in a window: a bounded sketch for each of its bins, as plain JSON.

The sketch is the wire's (`qmon_sdk.protocol.buckets`, DDSketch). A row is its bin, and then index
and count of each bucket by turns. As in DDSketch, the lowest buckets are put together when there
are too many, so that high percentiles stay exact to 2 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import cast

from qmon_sdk.protocol.buckets import bucket_of, fold
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
    indices = sorted(sketch)
    low, kept = indices[:-MOST], indices[-MOST:]
    counts = dict(zip(kept, (sketch[index] for index in kept), strict=True))
    if low:
        counts[kept[0]] += sum(sketch[index] for index in low)
    return [number for pair in counts.items() for number in pair]


def joined(rows: Rows) -> dict[int, int]:
    """What all the rows hold together."""
    return fold([_sketch(row[1:]) for row in rows])


def added(rows: Rows, at: int, pairs: Sequence[int], *, keep: int) -> list[Row]:
    """The rows with a sketch added to the bin `at`."""
    sketches = [_sketch(pairs)]
    if rows and rows[-1][0] >= at:
        sketches.append(_sketch(rows[-1][1:]))
    return put(rows, at, pairs_of(fold(sketches)), keep=keep)


def _sketch(pairs: Sequence[float]) -> dict[int, int]:
    # Whole numbers are whole in JSON as well: nothing to turn into any.
    return cast("dict[int, int]", dict(zip(pairs[::2], pairs[1::2], strict=True)))
