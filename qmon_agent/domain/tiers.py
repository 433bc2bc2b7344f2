"""Which table answers: the raw rows, or the coarsest rollup that gives the same answer.

A tier is kept in a table, `points_1m` beside `points`, with a row per series and stretch of time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

SECOND = 1_000_000_000
WIDTHS = {"1m": 60 * SECOND, "1h": 3_600 * SECOND, "1d": 86_400 * SECOND}
"""Tier → nanoseconds of a stretch, the finest first; each fits whole into the next."""
ROLLED: dict[str, tuple[str, ...]] = {
    "points": (
        *("service", "release", "environment", "host"),
        *("metric", "kind", "unit", "attributes"),
    ),
    "spans": ("service", "release", "environment", "host", "name", "route", "kind", "status"),
}
"""Raw table → the columns that tell its series apart in every tier of it."""

Statistic = Literal[
    "sum", "count", "points", "average", "minimum", "maximum", "last", "quantile", "exact_quantile"
]
TOLD: frozenset[str] = frozenset(
    ("sum", "count", "points", "average", "minimum", "maximum", "last", "quantile")
)
"""Statistics that a rollup of points gives; a quantile is by buckets, and so it is of raw rows."""
TOLD_OF_SPANS = TOLD - {"last"}
NAMES: tuple[str, ...] = tuple(f"{table}_{tier}" for table in ROLLED for tier in WIDTHS)
"""The tables of rollups; `*_parts` of each has its rows as they were written."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to know of a range: from `start` on, and before `end`, in ns since 1970.

    A `step` of 0 wants one number of the whole range. `columns` are all that is filtered and
    grouped by beside the time.
    """

    table: str
    start: int
    end: int
    step: int = 0
    statistic: Statistic = "sum"
    columns: tuple[str, ...] = ()


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which table to ask, how long its stretches are (0: raw rows), and why."""

    table: str
    width_ns: int
    is_exact: bool
    """Whether it has all there ever was of the range; else it is only what is left of it."""
    reason: str


def choose(asked: Asked, *, since: Mapping[str, int] | None = None) -> Chosen:
    """The coarsest table that answers exactly, for people and for caches to be told.

    `since` says from when on tables are kept whole, in ns; one that is not named is whole. Where
    no table fits that reaches back far enough, it is the fitting one that reaches back furthest.
    """
    known = since or {}
    fitting = [table for table in _fitting(asked) if known.get(table, 0) <= asked.start]
    if fitting:
        return _chosen(asked, fitting[0], is_exact=True)
    furthest = min(_fitting(asked), key=lambda table: known.get(table, 0))
    return _chosen(asked, furthest, is_exact=False)


def _fitting(asked: Asked) -> list[str]:
    """Tables whose rows lie whole inside every stretch that is asked for, the coarsest first."""
    if _why_raw(asked):
        return [asked.table]
    moments = (asked.start, asked.end, asked.step)
    return [
        *(
            f"{asked.table}_{tier}"
            for tier, width in reversed(WIDTHS.items())
            if not any(moment % width for moment in moments)
        ),
        asked.table,
    ]


def _why_raw(asked: Asked) -> str:
    if asked.table not in ROLLED:
        return f"{asked.table} are not rolled up"
    if asked.statistic not in (TOLD_OF_SPANS if asked.table == "spans" else TOLD):
        return f"rollups of {asked.table} have no {asked.statistic.replace('_', ' ')}"
    if left := [name for name in asked.columns if name not in ROLLED[asked.table]]:
        return f"rollups of {asked.table} have no {', '.join(left)}"
    return ""


def _chosen(asked: Asked, table: str, *, is_exact: bool) -> Chosen:
    width = WIDTHS[table.rpartition("_")[2]] if table != asked.table else 0
    if not is_exact:
        reason = f"no table that fits has all of the range; {table} reaches back furthest"
    elif width:
        reason = f"start, end and step are multiples of {width // SECOND} s"
    else:
        reason = _why_raw(asked) or "start, end or step is no multiple of a minute"
        reason = reason if _is_finest(asked) else "rollups do not reach back to the start"
    return Chosen(table=table, width_ns=width, is_exact=is_exact, reason=reason)


def _is_finest(asked: Asked) -> bool:
    return _fitting(asked) == [asked.table]
