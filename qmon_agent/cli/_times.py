"""Moments for people: the local time and how long ago that is; and as people write them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from qmon_agent.domain.durations import parse_duration

NS = 10**9
_DATED = re.compile(r"\s*\d{4}-")
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def with_moments(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows, with nanoseconds since 1970 in these columns as words."""
    now = time.time_ns()
    return [{**row, **{name: moment(row.get(name), now=now) for name in columns}} for row in rows]


def moment(at: int | None, *, now: int) -> str:
    """The local time in ISO 8601 and its distance from now; nothing for none."""
    if not at:
        return ""
    try:
        local = datetime.fromtimestamp(at // NS).astimezone().isoformat(sep=" ")
    except (ValueError, OverflowError, OSError):
        return str(at)  # whoever wrote it has another calendar
    return f"{local} ({_distance(now - at)})"


def when(option: str, text: str, *, now: int, ago: Callable[[str], int] = parse_duration) -> int:
    """Nanoseconds since 1970 of a day (midnight UTC), a time, or how long `ago`.

    Raises UsageError that names the option.
    """
    try:
        if not _DATED.match(text):
            return now - ago(text)
        read = datetime.fromisoformat(text.strip())
    except ValueError as problem:
        raise click.UsageError(f"{option}: {problem}") from None
    return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()) * NS


def _distance(nanoseconds: int) -> str:
    seconds = abs(nanoseconds) // NS
    for size, unit in _UNITS:
        if seconds >= size:
            words = f"{seconds // size} {unit}"
            return f"{words} ago" if nanoseconds > 0 else f"in {words}"
    return "now"
