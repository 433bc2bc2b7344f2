"""Rows of the state store inside a statement: there is no table of them on the server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from qmon_agent.domain.errors import QueryError
from qmon_agent.store.telemetry.answers import StateTable

from .ddl import quoted, text

TYPES = {
    "text": "Nullable(String)",
    "whole": "Nullable(Int64)",
    "number": "Nullable(Float64)",
    "flag": "Nullable(Bool)",
    "time": "Nullable(DateTime64(9, 'UTC'))",
    "labels": "Map(String, String)",
}
"""Role of a state table's column → type."""
WITH = re.compile(r"\s*WITH\s+(RECURSIVE\s+)?", re.IGNORECASE)


def with_state(sql: str, state: Mapping[str, StateTable], names: Iterable[str]) -> str:
    """The statement with these of the tables in front of it, as a WITH."""
    wanted = [name for name in sorted(names) if name in state]
    if not wanted:
        return sql
    tables = ", ".join(f"{quoted(name)} AS ({_rows(state[name])})" for name in wanted)
    if begins := WITH.match(sql):
        return f"WITH {begins[1] or ''}{tables}, {sql[begins.end() :]}"
    return f"WITH {tables} {sql}"


def _rows(table: StateTable) -> str:
    names = [*table.columns]
    kinds = ", ".join(f"{quoted(name)} {_type(role)}" for name, role in table.columns.items())
    rows = ", ".join(
        "(" + ", ".join(_cell(row.get(name), table.columns[name]) for name in names) + ",)"
        for row in table.rows
    )
    columns = ", ".join(
        f"tupleElement(_row, {place}) AS {quoted(name)}"
        for place, name in enumerate(names, start=1)
    )
    every = f"arrayJoin(CAST([{rows}], {text(f'Array(Tuple({kinds}))')}))"
    return f"SELECT {columns} FROM (SELECT {every} AS _row)"  # noqa: S608 - quoted


def _type(role: str) -> str:
    try:
        return TYPES[role]
    except KeyError:
        raise QueryError(f"no role {role!r} for a column of a state table") from None


def _cell(value: Any, role: str) -> str:
    if role == "labels":
        pairs = (value or {}).items()
        return "map(" + ", ".join(f"{text(str(k))}, {text(str(v))}" for k, v in pairs) + ")"
    if value is None:
        return "NULL"
    if role == "time":
        return f"fromUnixTimestamp64Nano(toInt64({int(value)}))"
    return text(value) if isinstance(value, str) else json.dumps(value)
