"""`qmon-agent tail`: what comes in, as it comes in."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import click

from qmon_agent.cli._asking import ask
from qmon_agent.cli._control import find_control
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._signal_lines import lines_of
from qmon_agent.cli._times import when
from qmon_agent.domain.errors import nearest_to
from qmon_sdk.protocol.signals import SIGNALS, table_of

Row = Mapping[str, Any]

_TABLES = {kind: table_of(kind) for kind in SIGNALS}
# What people wait for; spans and points come by the thousand, and are there by name.
_USUAL = ("errors", "events", "logs", "checkins", "sessions")
_PAUSE_S = 1.0
_GLANCE_S = 0.3
_BEHIND_ALL = 10**15
# A signal may come later than it happened: so long ago is looked at again for it.
_LATE_NS = 120 * 10**9
_MOST_ROWS = 5_000


@click.command
@click.argument("kind", required=False, default="")
@click.option("--where", metavar="EXPR", default="", help="Only those for which this SQL is true.")
@click.option("-n", "--lines", default=20, show_default=True, help="So many recent ones first.")
@click.option("--since", metavar="TIME", help="Begin so long ago (10m, 2h), or on a day.")
@click.option(
    "--follow/--no-follow",
    default=True,
    show_default=True,
    help="Go on with what comes in, until Ctrl-C.",
)
@click.option(
    "--at",
    metavar="PLACE",
    help="What passes there: `before` the processors, behind one by its name, or `journal`.",
)
@with_place
def command(  # noqa: PLR0913 - one for each option
    *,
    kind: str,
    where: str,
    lines: int,
    since: str | None,
    follow: bool,
    at: str | None,
    place: Place,
) -> None:
    """Show the newest signals of a KIND (errors, spans, logs, ...), and those that come in.

    Without a KIND: errors, events, logs, check-ins and sessions. With --json, one JSON object to a
    line.
    """
    tables = (_table(kind),) if kind else _USUAL
    if at is not None:
        if where or since:
            raise click.UsageError("--at shows what passes: no --where and no --since with it")
        _watch_at(at, {*tables} if kind else {*_TABLES.values()}, follow=follow, place=place)
        return
    begin = when("--since", since, now=time.time_ns()) if since else 0
    watching = _Watching(tables, where=where, place=place)
    limit = _MOST_ROWS if since else max(lines, 0)
    try:
        _show(watching.newest(begin, limit=limit), place)
        while follow and getattr(sys.stdout, "is_heard", True):
            time.sleep(_PAUSE_S)
            _show(watching.fresh(), place)
    except KeyboardInterrupt:
        return


def _watch_at(at: str, tables: set[str], *, follow: bool, place: Place) -> None:
    """What passes from now on; without --follow, for a second."""
    control = find_control(place.locations)
    route = f"/api/passing?at={quote(at, safe='')}&after="
    after = control.get(f"{route}{_BEHIND_ALL}")["next"]
    try:
        while getattr(sys.stdout, "is_heard", True):
            time.sleep(_GLANCE_S if follow else _PAUSE_S)
            told = control.get(f"{route}{after}")
            after = told["next"]
            _show([row for row in told["rows"] if row["table"] in tables], place)
            if told["missed"]:
                click.echo(f"({told['missed']} more passed too fast to be shown)", err=True)
            if not follow:
                return
    except KeyboardInterrupt:
        return


class _Watching:
    """Tables looked at again and again; a row that was seen is not seen again."""

    def __init__(self, tables: tuple[str, ...], *, where: str, place: Place) -> None:
        self._tables = tables
        self._where = f"AND ({where}\n)" if where.strip() else ""
        self._place = place
        self._began = time.time_ns()
        self._seen: dict[str, Counter[str]] = {}

    def newest(self, begin: int, *, limit: int) -> list[Row]:
        """The last so many since a moment, oldest first; also what a stopped agent has."""
        rows: list[Row] = []
        late = max(begin, self._began - _LATE_NS)
        for table in self._tables:
            found = self._rows(table, f"time >= make_timestamp_ns({late})")
            self._seen[table] = Counter(map(_key, found))
            rows += found
            if late > begin and len(found) < limit:
                between = f"time >= make_timestamp_ns({begin}) AND time < make_timestamp_ns({late})"
                rows += self._rows(table, between, limit=limit)
        rows.sort(key=_moment_of)
        return rows[-limit:] if limit else []

    def fresh(self) -> list[Row]:
        """What has come since the last look, oldest first."""
        rows: list[Row] = []
        late = max(self._began, time.time_ns()) - _LATE_NS
        for table in self._tables:
            found = self._rows(table, f"time >= make_timestamp_ns({late})")
            seen, self._seen[table] = self._seen[table], Counter(map(_key, found))
            rows += _unseen(found, seen)
        return sorted(rows, key=_moment_of)

    def _rows(self, table: str, when: str, limit: int = _MOST_ROWS) -> list[Row]:
        sql = f"SELECT * FROM {table} WHERE {when} {self._where} ORDER BY time DESC LIMIT {limit}"  # noqa: S608 - our names, and the owner's words
        rows = ask(sql, self._place, limit=limit)["rows"]
        return [{"table": table, **row} for row in rows]


def _show(rows: list[Row], place: Place) -> None:
    for row in rows:
        if place.json:
            click.echo(json.dumps({"version": 1, **row}, ensure_ascii=False))
        else:
            for line in lines_of(row):
                click.echo(line)
    sys.stdout.flush()


def _unseen(rows: list[Row], seen: Counter[str]) -> Iterator[Row]:
    left = Counter(seen)
    for row in rows:
        key = _key(row)
        if left[key]:
            left[key] -= 1
        else:
            yield row


def _key(row: Row) -> str:
    return json.dumps(row, sort_keys=True)


def _moment_of(row: Row) -> str:
    return str(row["time"])


def _table(kind: str) -> str:
    known = {**_TABLES, **{table: table for table in _TABLES.values()}}
    if kind not in known:
        near = nearest_to(kind, known)
        meant = f"; did you mean {near[0]!r}?" if near else f" (there are {', '.join(known)})"
        raise click.UsageError(f"no signal is called {kind!r}{meant}")
    return known[kind]
