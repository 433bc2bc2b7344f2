"""Rows over time as one line of text for each series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qmon_agent.domain.sparklines import sparkline
from qmon_agent.store.telemetry.questions import Series

_WIDEST = 60
Row = Mapping[str, Any]


def lines_of(series: Series, rows: Sequence[Row]) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and rows of a table with a line for each series, over the newest stretches of all.

    A dot stands for a stretch of which this series has nothing.
    """
    moments = sorted({row[series.over] for row in rows})[-_WIDEST:]
    by_key: dict[tuple[Any, ...], dict[Any, float | None]] = {}
    for row in rows:
        key = tuple(row[name] for name in series.by)
        by_key.setdefault(key, {})[row[series.over]] = row[series.of]
    lines = [_line(series, key, [seen.get(at) for at in moments]) for key, seen in by_key.items()]
    return [*series.by, series.of, "lowest", "highest", "newest"], lines


def _line(series: Series, key: tuple[Any, ...], values: Sequence[float | None]) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    told = {"lowest": min(known, default=None), "highest": max(known, default=None)}
    newest = known[-1] if known else None
    return {
        **dict(zip(series.by, key, strict=True)),
        series.of: sparkline(values),
        **{name: _short(value) for name, value in {**told, "newest": newest}.items()},
    }


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
