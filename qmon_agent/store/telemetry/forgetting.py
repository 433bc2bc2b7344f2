"""Which rows are about a user, as conditions in SQL; and which of those a hold keeps."""

from __future__ import annotations

from collections.abc import Iterable

from qmon_agent.domain.retention import FOR_EVER, Hold

from .engines.duckdb.ddl import quoted, text
from .schema import TABLES, Table

USER = "user_id"
ANONYMOUS = "anonymous_id"
LABELS = ("enduser.id", "user", "user.email", "user.id", "user.name", "user_id")
"""Attributes whose value is a user's name."""


def rows_of(table: Table, user: str) -> str:
    """The rows about a user: by the column, or by an attribute that names one."""
    who = text(user)
    found = [
        f"{quoted(column.name)} = {who}"
        for column in table.columns
        if column.name in {USER, ANONYMOUS}
    ]
    pairs = ", ".join(f"{{'key': {text(label)}, 'value': {who}}}" for label in LABELS)
    found += [
        f"list_has_any(map_entries({quoted(column.name)}), [{pairs}])"
        for column in table.columns
        if column.role == "Labels"
    ]
    return f"({' OR '.join(found)})" if found else "FALSE"


def held_rows(table: Table, holds: Iterable[Hold]) -> str:
    """The rows of a table that any of the holds keeps."""
    found = [_held_by(table, hold) for hold in holds if hold.covers(table.kind)]
    return f"({' OR '.join(found)})" if found else "FALSE"


def going(table: Table, user: str, holds: Iterable[Hold]) -> str:
    """The rows about a user that no hold keeps."""
    return f"{rows_of(table, user)} AND {held_rows(table, holds)} IS NOT TRUE"


def staying(table: Table, user: str, holds: Iterable[Hold]) -> str:
    """The rows about a user that a hold keeps."""
    return f"{rows_of(table, user)} AND {held_rows(table, holds)} IS TRUE"


def counting(user: str, holds: Iterable[Hold]) -> str:
    """One statement that says of each table how many rows would go, and how many would stay."""
    kept = tuple(holds)
    return " UNION ALL ".join(
        f"SELECT {text(table.name)} AS name, "  # noqa: S608 - quoted
        f"count(*) FILTER (WHERE {going(table, user, kept)}) AS removed, "
        f"count(*) FILTER (WHERE {staying(table, user, kept)}) AS held FROM {quoted(table.name)}"
        for table in TABLES.values()
    )


def of_services(services: Iterable[str]) -> str:
    """The rows of some services."""
    return f"service IN ({', '.join(map(text, sorted(services)))})"


def _held_by(table: Table, hold: Hold) -> str:
    parts = ["TRUE"]
    if hold.service:
        parts.append(f"service = {text(hold.service)}")
    if hold.user:
        parts.append(rows_of(table, hold.user))
    if hold.since:
        parts.append(f"epoch_ns(time) >= {hold.since}")
    if hold.until < FOR_EVER:
        parts.append(f"epoch_ns(time) < {hold.until}")
    return f"({' AND '.join(parts)})"
