"""Series as one line of text each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qmon_agent.domain.sparklines import sparkline
from qmon_agent.store.telemetry.questions import Series

_WIDEST = 60
One = Mapping[str, Any]


def lines_of(series: Series, told: Sequence[One]) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and rows of a table with a line for each series, over the newest stretches of all.

    A dot stands for a stretch of which this series has nothing.
    """
    moments = sorted({at for one in told for at in one[series.over]})[-_WIDEST:]
    lines = []
    for one in told:
        seen = dict(zip(one[series.over], one[series.of], strict=True))
        lines.append(_line(series, one, [seen.get(at) for at in moments]))
    return [*series.by, series.of, "lowest", "highest", "newest"], lines


def _line(series: Series, one: One, values: Sequence[float | None]) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    told = {"lowest": min(known, default=None), "highest": max(known, default=None)}
    newest = known[-1] if known else None
    return {
        **{name: one[name] for name in series.by},
        series.of: sparkline(values),
        **{name: _short(value) for name, value in {**told, "newest": newest}.items()},
    }


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
