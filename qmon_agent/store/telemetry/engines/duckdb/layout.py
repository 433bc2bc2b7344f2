"""What a segment looks like inside: in which order its rows lie, and how large its pieces are.

Points lie by series, and then by time: a reader of one metric finds it in one place, and what
hardly changes is hardly stored. Everything else lies by time, which keeps a trace together. With
Parquet's second version DuckDB writes numbers as byte streams and texts as lengths and bytes.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from qmon_agent.store.telemetry.rollups import ROLLUPS
from qmon_agent.store.telemetry.schema import Table

from . import ddl

BY_SERIES = ("metric", "service", "host", "process", "hash(attributes)", "time")
BY_ROUTE = ("service", "name", "route", "time")
BY_TIME = ("time",)
SAID_ONCE = {"points": {"minimum": "value", "maximum": "value"}}
"""Table → column that holds nothing where it says the same as another one."""
GROUP_ROWS = 61_440
LEAST_GROUP_ROWS = 2_048
GROUP_BYTES = 24 << 20
"""Rows of a group are in memory at once while it is written or read."""

COPY = """
COPY (SELECT {columns} FROM {source})
TO {target} (
  FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, ROW_GROUP_SIZE {group},
  KV_METADATA {{{key}: {mark}}})
"""
MARK = "qmon"
"""The key under which a segment says of itself what it is."""


def write(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    *,
    table: Table,
    target: Path,
    group: int = GROUP_ROWS,
    mark: str,
) -> None:
    """Write rows of a table, as `source` has them and in its order, into one file."""
    connection.execute(
        COPY.format(
            columns=_columns(table),
            source=source,
            target=ddl.text(str(target)),
            group=group,
            key=MARK,
            mark=ddl.text(mark),
        )
    )


def write_again(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    *,
    table: Table,
    target: Path,
    group: int,
    mark: str,
) -> None:
    """Write rows as `source`, which is a segment, has them: with its columns and no others."""
    connection.execute(
        COPY.format(
            columns="*",
            source=in_order(source, table),
            target=ddl.text(str(target)),
            group=group,
            key=MARK,
            mark=ddl.text(mark),
        )
    )


def in_order(source: str, table: Table) -> str:
    """The rows of a source as they lie in a segment."""
    return f"{source} ORDER BY {order_of(table)}"


def order_of(table: Table) -> str:
    """In which order the rows of a segment lie."""
    known = table.column_names
    order = BY_SERIES if "metric" in known else BY_ROUTE if table.name in ROLLUPS else BY_TIME
    return ", ".join(each for each in order if each in known or "(" in each)


def group_of(width: int) -> int:
    """How many rows make a group, by how many bytes a row takes in memory."""
    return max(LEAST_GROUP_ROWS, min(GROUP_ROWS, GROUP_BYTES // max(1, width)))


def read_back(table: Table, column: str) -> str:
    """A column of a segment as it was."""
    other = SAID_ONCE.get(table.name, {}).get(column)
    name = ddl.quoted(column)
    return f"coalesce({name}, {ddl.quoted(other)}) AS {name}" if other else name


def _columns(table: Table) -> str:
    once = SAID_ONCE.get(table.name, {})
    return ", ".join(
        f"nullif({ddl.quoted(name)}, {ddl.quoted(once[name])}) AS {ddl.quoted(name)}"
        if name in once
        else ddl.quoted(name)
        for name in table.column_names
    )
