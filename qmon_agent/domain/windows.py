"""Sliding windows in bounded memory: time is cut into bins, and each that is used has a row.

A row is `[bin, number, ...]`, plain JSON, the oldest first. What comes with a clock set back is of
the newest bin. A window of n bins holds the one that has just begun and the n - 1 before it.
"""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[float]
Rows = Sequence[Row]

BINS = 60
"""Into how many a window is cut: its length is exact to the sixtieth part."""


def width_of(window_ns: int) -> int:
    """How long a bin of a window is."""
    return max(1, window_ns // BINS)


def add(rows: Rows, at: int, amounts: Sequence[float], *, keep: int = BINS) -> list[Row]:
    """The rows with the amounts added to the bin `at`, and none older than `keep` bins."""
    at = _newest(rows, at)
    if rows and rows[-1][0] == at:
        before = rows[-1]
        summed = [at, *(one + more for one, more in zip(before[1:], amounts, strict=True))]
        return [*rows[:-1], summed]
    return [*within(rows, at, keep), [at, *amounts]]


def put(rows: Rows, at: int, values: Sequence[float], *, keep: int = BINS) -> list[Row]:
    """The rows with these values in the bin `at`, instead of what was there."""
    at = _newest(rows, at)
    if rows and rows[-1][0] == at:
        return [*rows[:-1], [at, *values]]
    return [*within(rows, at, keep), [at, *values]]


def within(rows: Rows, at: int, bins: int) -> list[Row]:
    """Those of the last `bins` bins, seen from the bin `at`."""
    oldest = at - bins
    if not rows or rows[0][0] > oldest:
        return [*rows]
    return [row for row in rows if row[0] > oldest]


def total(rows: Rows, at: int, bins: int, *, column: int = 1) -> float:
    """The sum of a column over the last `bins` bins."""
    oldest = at - bins
    return sum(row[column] for row in rows if row[0] > oldest)


def _newest(rows: Rows, at: int) -> int:
    return max(at, int(rows[-1][0])) if rows else at
