"""How much a series has changed in a window, whatever its points tell.

Rows are `[bin, time, value]`. A gauge's row has the newest value of its bin. Of what only grows a
row has the running total: growth is added, and a total that has fallen has begun anew from nothing,
so that all of it is growth, which is what Prometheus means by a counter reset.
"""

from __future__ import annotations

from math import isfinite
from typing import Literal

import msgspec

from .windows import Row, Rows, put

Told = Literal["value", "growth", "totals"]


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a window."""

    rows: Rows
    told: Told
    span: int


def grown_of(rows: Rows, sample: tuple[int, int, float], *, told: Told, keep: int) -> list[Row]:
    """The rows with one more sample: its bin, its time, and what its point told."""
    at, time, value = sample
    if not isfinite(value):
        return [*rows]
    last = rows[-1] if rows else None
    if told == "growth":
        return put(rows, at, (time, (last[2] if last else 0.0) + value), keep=keep)
    if told == "totals":
        run = last[2] + _grown(value, last[3]) if last else 0.0
        return put(rows, at, (time, run, value), keep=keep)
    return put(rows, at, (time, value), keep=keep)


def change_of(samples: Samples, per: int) -> float | None:
    """The change from the oldest to the newest, per a time; nothing if they are too near."""
    ends = _ends(samples)
    if ends is None:
        return None
    (_, begin, old, *_), (_, end, new, *_) = ends
    return (new - old) / (end - begin) * per


def percent_of(samples: Samples) -> float | None:
    """The change in percent of what was; of growth, of the later half's against the earlier's."""
    ends = _ends(samples)
    if ends is None:
        return None
    old, new = ends[0][2], ends[1][2]
    if samples.told != "value":
        middle = (ends[0][1] + ends[1][1]) / 2
        half = next(row for row in reversed(samples.rows) if row[1] <= middle)
        old, new = half[2] - old, new - half[2]
    return 100 * (new - old) / abs(old) if old else None


def _ends(samples: Samples) -> tuple[Row, Row] | None:
    """The oldest and the newest, where they are half a window apart or more."""
    if not samples.rows:
        return None
    first, last = samples.rows[0], samples.rows[-1]
    return (first, last) if 2 * (last[1] - first[1]) >= samples.span > 0 else None


def _grown(value: float, before: float) -> float:
    return value - before if value >= before else value
