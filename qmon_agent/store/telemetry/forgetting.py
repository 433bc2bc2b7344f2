"""Which rows are about a user, as conditions in SQL; and which of those a hold keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from qmon_agent.domain.retention import FOR_EVER, Hold

from .engines.clickhouse import ddl as click
from .engines.duckdb import ddl as duck
from .schema import TABLES, Table

USER = "user_id"
ANONYMOUS = "anonymous_id"
LABELS = ("enduser.id", "user", "user.email", "user.id", "user.name", "user_id")
"""Attributes whose value is a user's name."""


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """How an engine says it."""

    quoted: Callable[[str], str]
    text: Callable[[str], str]
    labelled: Callable[[str, str], str]
    """Whether any label of a column, a quoted one, names a user, a literal."""
    nanoseconds: str = "epoch_ns(time)"
    counted: str = "count(*) FILTER (WHERE {})"
    true: str = "{} IS TRUE"
    untrue: str = "{} IS NOT TRUE"


def _duck_labelled(column: str, who: str) -> str:
    pairs = ", ".join(f"{{'key': {duck.text(label)}, 'value': {who}}}" for label in LABELS)
    return f"list_has_any(map_entries({column}), [{pairs}])"


def _click_labelled(column: str, who: str) -> str:
    return "(" + " OR ".join(f"{column}[{click.text(label)}] = {who}" for label in LABELS) + ")"


DUCKDB = Words(quoted=duck.quoted, text=duck.text, labelled=_duck_labelled)
CLICKHOUSE = Words(
    quoted=click.quoted,
    text=click.text,
    labelled=_click_labelled,
    nanoseconds="toUnixTimestamp64Nano(time)",
    counted="countIf({})",
    true="{}",
    untrue="NOT {}",
)
WORDS = {"duckdb": DUCKDB, "clickhouse": CLICKHOUSE}
"""Dialect → how it says it."""


def rows_of(table: Table, user: str, *, words: Words = DUCKDB) -> str:
    """The rows about a user: by the column, or by an attribute that names one."""
    who = words.text(user)
    found = [
        f"{words.quoted(column.name)} = {who}"
        for column in table.columns
        if column.name in {USER, ANONYMOUS}
    ]
    found += [
        words.labelled(words.quoted(column.name), who)
        for column in table.columns
        if column.role == "Labels"
    ]
    return f"({' OR '.join(found)})" if found else "FALSE"


def held_rows(table: Table, holds: Iterable[Hold], *, words: Words = DUCKDB) -> str:
    """The rows of a table that any of the holds keeps."""
    found = [_held_by(table, hold, words) for hold in holds if hold.covers(table.kind)]
    return f"({' OR '.join(found)})" if found else "FALSE"


def going(table: Table, user: str, holds: Iterable[Hold], *, words: Words = DUCKDB) -> str:
    """The rows about a user that no hold keeps."""
    held = held_rows(table, holds, words=words)
    return f"{rows_of(table, user, words=words)} AND {words.untrue.format(held)}"


def staying(table: Table, user: str, holds: Iterable[Hold], *, words: Words = DUCKDB) -> str:
    """The rows about a user that a hold keeps."""
    held = held_rows(table, holds, words=words)
    return f"{rows_of(table, user, words=words)} AND {words.true.format(held)}"


def counting(user: str, holds: Iterable[Hold], *, words: Words = DUCKDB) -> str:
    """One statement that says of each table how many rows would go, and how many would stay."""
    kept = tuple(holds)
    return " UNION ALL ".join(
        count(table, user, kept, source=words.quoted(table.name), words=words)
        for table in TABLES.values()
    )


def count(table: Table, user: str, holds: tuple[Hold, ...], *, source: str, words: Words) -> str:
    """The same of one table; `source` has its rows."""
    removed = words.counted.format(going(table, user, holds, words=words))
    held = words.counted.format(staying(table, user, holds, words=words))
    name = words.text(table.name)
    return f"SELECT {name} AS name, {removed} AS removed, {held} AS held FROM {source}"  # noqa: S608 - quoted


def of_services(services: Iterable[str], *, words: Words = DUCKDB) -> str:
    """The rows of some services."""
    return f"service IN ({', '.join(map(words.text, sorted(services)))})"


def _held_by(table: Table, hold: Hold, words: Words) -> str:
    parts = ["TRUE"]
    if hold.service:
        parts.append(f"service = {words.text(hold.service)}")
    if hold.user:
        parts.append(rows_of(table, hold.user, words=words))
    if hold.since:
        parts.append(f"{words.nanoseconds} >= {hold.since}")
    if hold.until < FOR_EVER:
        parts.append(f"{words.nanoseconds} < {hold.until}")
    return f"({' AND '.join(parts)})"
