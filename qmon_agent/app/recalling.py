"""What is stored, shown once more: rows of the tables as the records that rules look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import merge
from itertools import groupby
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.alerting.rules import About
from qmon_agent.alerting.samples import may_be
from qmon_agent.domain.clock import SECOND
from qmon_sdk.protocol.signals import FIELDS, SIGNALS, Signal, table_of

PAGE = 10_000
"""So many rows are held at a time, of each table."""
KINDS = {
    "points": "point",
    "errors": "error",
    "sessions": "session",
    "checkins": "checkin",
    "logs": "log",
    "events": "event",
    "snapshots": "snapshot",
    "findings": "finding",
}
"""What rules are shown → the kind of signal it is."""
_UNREAD = {"stack", "trace_id", "span_id", "error_id", "issue_id"}
"""Columns that no rule looks at."""
_COLUMNS = {
    shown: [each.name for each in FIELDS[kind] if each.name not in {"time", *_UNREAD}]
    for shown, kind in KINDS.items()
}
_CONDITION = "<condition>"
Ask = Callable[[str, int | None], Mapping[str, Any]]
_WHO = ("service", "environment", "release", "process")
Who = tuple[str, str, str, str]
"""Service, environment, release, process."""
Row = tuple[int, Who, str, Signal]
"""Time, who speaks, what it is shown as, and it."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What alerts look at; no metrics: none, and `None`: all."""

    shown: tuple[str, ...]
    metrics: tuple[str, ...] | None = ()


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """From one moment to another, in nanoseconds UTC."""

    since: int
    until: int

    @property
    def condition(self) -> str:
        return f"time >= make_timestamp_ns({self.since}) AND time < make_timestamp_ns({self.until})"


def wanted_by(subjects: Iterable[About], names: set[str], known: Iterable[str]) -> Wanted:
    """Of the metrics there are those that somebody looks at, and the other signals."""
    shown: dict[str, None] = {}
    metrics: dict[str, None] = {}
    looked_at: set[str] = set()
    for about in subjects:
        if not (about.signals or about.metric or about.question or about.alerts):
            return Wanted(shown=tuple(KINDS), metrics=None)
        shown |= dict.fromkeys(each for each in about.signals if each in KINDS)
        looked_at |= {about.metric, *about.also, *about.beside} - {""}
    for metric in known:
        if metric in looked_at or (names and may_be(metric, names)):
            metrics[metric] = None
    return Wanted(shown=(*(["points"] if metrics else []), *shown), metrics=tuple(metrics))


def metrics_in(ask: Ask, span: Span) -> list[str]:
    """The name of each metric of which there is a point."""
    sql = f"SELECT DISTINCT metric FROM points WHERE {span.condition}"  # noqa: S608 - of two numbers
    return [row["metric"] for row in ask(sql, None)["rows"]]


def recalled(ask: Ask, wanted: Wanted, span: Span, *, page: int = PAGE) -> Iterator[Observed]:
    """In the order of time, a second of each speaker at once; when it came nobody knows any more.

    Held in memory are a page of each table and a second.
    """
    rows = merge(
        *(_rows(ask, shown, _sql(shown, wanted), span=span, page=page) for shown in wanted.shown),
        key=lambda row: row[0],
    )
    for _, second in groupby(rows, key=lambda row: row[0] // SECOND):
        yield from _batches(second)


def _batches(rows: Iterable[Row]) -> Iterator[Observed]:
    by_speaker: dict[Who, dict[str, list[Any]]] = {}
    times: dict[Who, int] = {}
    for time, who, shown, signal in rows:
        by_speaker.setdefault(who, {}).setdefault(shown, []).append(signal)
        times[who] = time
    for who in sorted(by_speaker, key=lambda each: times[each]):
        yield Observed(
            service=who[0],
            environment=who[1],
            release=who[2],
            replica=who[3],
            time=times[who],
            **by_speaker[who],  # type: ignore[arg-type]  # what is shown as something is of its type
        )


def _rows(ask: Ask, shown: str, sql: str, *, span: Span, page: int) -> Iterator[Row]:
    since, most = span.since, page
    while since < span.until:
        condition = Span(since=since, until=span.until).condition
        answer = ask(sql.replace(_CONDITION, condition, 1), most)
        found = answer["rows"]
        if not answer["truncated"]:
            yield from (_row(row, shown) for row in found)
            return
        # What has the time of the last may go on behind it: it is asked for again.
        last = found[-1]["time"]
        if found[0]["time"] == last:
            most *= 2
            continue
        yield from (_row(row, shown) for row in found if row["time"] != last)
        since, most = last, page


def _sql(shown: str, wanted: Wanted) -> str:
    which = ""
    if shown == "points" and wanted.metrics is not None:
        which = f" AND metric IN ({', '.join(map(_quoted, wanted.metrics))})"
    columns = ", ".join(("epoch_ns(time) AS time", *_WHO, *_COLUMNS[shown]))
    table = table_of(KINDS[shown])
    return f"SELECT {columns} FROM {table} WHERE {_CONDITION}{which} ORDER BY time"  # noqa: S608 - of our own names and `_quoted`


def _row(row: Mapping[str, Any], shown: str) -> Row:
    said = {name: row[name] for name in _COLUMNS[shown] if row[name] is not None}
    if "buckets" in said:
        said["buckets"] = {int(key): int(count) for key, count in said["buckets"].items()}
    signal = SIGNALS[KINDS[shown]](time=row["time"], **said)
    service, environment, release, process = (row[name] or "" for name in _WHO)
    return row["time"], (service, environment, release, process), shown, signal


def _quoted(text: str) -> str:
    """A text of somebody else's, as a text of SQL."""
    return "'" + text.replace("'", "''") + "'"
