"""Signals for people: an error is a block with its story, everything else a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from qmon_agent.cli._shown import printable
from qmon_agent.cli._story import story_of

Row = Mapping[str, Any]

_LONGEST = 200
# What says most about a signal, in this order.
_COLUMNS = {
    "spans": ("name", "kind", "status", "duration_ns", "user_id"),
    "events": ("name", "user_id", "anonymous_id", "attributes"),
    "sessions": ("status", "user_id", "session_id", "duration_ns", "errors"),
    "points": ("metric", "kind", "value", "unit", "attributes"),
    "logs": ("level", "logger", "body"),
    "checkins": ("monitor", "status", "duration_ns"),
    "snapshots": ("scan", "measure", "value"),
    "findings": ("severity", "tool", "rule", "path", "line", "message"),
}


def lines_of(row: Row) -> Iterator[str]:
    """The lines of one row of a table, safe for a terminal."""
    head = f"{_moment(str(row['time']))}  {printable(str(row['service']))}"
    if row["table"] == "errors":
        yield from _error(head, row)
        return
    words = (_word(name, row.get(name)) for name in _COLUMNS[row["table"]])
    yield "  ".join((head, *(word for word in words if word)))


def _error(head: str, row: Row) -> Iterator[str]:
    kind = click.style(printable(str(row["type"])), bold=True)
    where = " ".join(filter(None, (str(row["release"]), str(row["environment"]))))
    level = printable(str(row["level"]))
    yield "  ".join(filter(None, (head, level, kind, printable(where))))
    for line in story_of(row):
        yield f"    {line}"
    yield ""


def _moment(text: str) -> str:
    """The local time, to the millisecond."""
    try:
        at = datetime.fromisoformat(text[:26] + "+00:00").astimezone()
    except ValueError:
        return printable(text)
    return at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03}"


def _word(name: str, value: Any) -> str:
    if value is None or value in ("", {}):
        return ""
    if name == "duration_ns":
        return duration(int(value))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = printable(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def duration(nanoseconds: int) -> str:
    """A length of time, in the unit that fits."""
    for size, unit in ((10**9, "s"), (10**6, "ms"), (10**3, "µs")):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds} ns"
