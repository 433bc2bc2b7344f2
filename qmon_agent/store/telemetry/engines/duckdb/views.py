"""The tables as a query sees them: hot generations and Parquet segments as one view per name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa

from qmon_agent.domain.errors import QueryError
from qmon_agent.store.telemetry.answers import StateTable
from qmon_agent.store.telemetry.manifest import Manifest, Segment
from qmon_agent.store.telemetry.rollups import ROLLUPS, VIEWS
from qmon_agent.store.telemetry.schema import BY_NAME, RESOURCES, Table

from . import ddl, folding, layout
from .hot import Generation, generations

NOW = ("now", "get_current_timestamp")
"""Made to have the type of our times, which DuckDB will not compare with one that has a zone."""

LAST_WORD = "SELECT DISTINCT ON (process) * FROM ({every}) ORDER BY process, time DESC"
"""Each generation says anew who spoke in it, so that it may be given up without the others."""

STATE_TYPES = {
    "text": pa.string(),
    "whole": pa.int64(),
    "number": pa.float64(),
    "flag": pa.bool_(),
    "time": pa.timestamp("ns"),
    "labels": pa.map_(pa.string(), pa.string()),
}
"""Role of a state table's column → type."""


def create(
    connection: duckdb.DuckDBPyConnection,
    tables: Iterable[str],
    *,
    manifest: Manifest,
    directory: Path,
) -> None:
    """Make the views, in the connection's own space, as its transaction sees the generations.

    The manifest must have been read after the transaction began: then a generation is either
    still visible or listed, and one that is both is skipped here.
    """
    recent = hot(connection, manifest)
    for name in tables:
        make = _rolled if name in VIEWS else _raw
        query = make(name, recent, manifest=manifest, directory=directory)
        connection.execute(f"CREATE TEMP VIEW {ddl.quoted(name)} AS {query}")


def _raw(name: str, recent: list[Generation], *, manifest: Manifest, directory: Path) -> str:
    segments = [each for each in manifest.segments if each.table == name]
    query = _union(BY_NAME[name], recent, segments=segments, directory=directory)
    return LAST_WORD.format(every=query) if name == RESOURCES.name else query


def _rolled(name: str, recent: list[Generation], *, manifest: Manifest, directory: Path) -> str:
    """What is rolled up, and what is not yet: that is rolled up here and now."""
    rollup = ROLLUPS[VIEWS[name]]
    parts = [each for each in manifest.segments if each.table == rollup.table.name]
    rest = [each for each in manifest.segments if each.table == rollup.source and each.unrolled]
    rows = _union(BY_NAME[rollup.source], recent, segments=rest, directory=directory)
    queries = [from_segments(rollup.table, parts, directory=directory)] if parts else []
    every = "\nUNION ALL ".join([*queries, f"({folding.of_rows(rollup, rows)})"])
    return folding.of_parts(rollup, every) if name == rollup.table.name else every


def begin_reading(connection: duckdb.DuckDBPyConnection) -> None:
    """Begin a transaction that may not write, and fix what it sees by a first look."""
    for name in NOW:
        connection.execute(
            f"CREATE TEMP MACRO {name}() AS CAST(transaction_timestamp() AS TIMESTAMP)"
        )
    connection.execute("BEGIN TRANSACTION READ ONLY")
    generations(connection)


def hot(connection: duckdb.DuckDBPyConnection, manifest: Manifest) -> list[Generation]:
    """The generations whose rows are not in segments yet."""
    return [each for each in generations(connection) if each.number > manifest.generation]


def hand_in(connection: duckdb.DuckDBPyConnection, state: Mapping[str, StateTable]) -> None:
    """Show the caller's rows under their names."""
    for name, table in state.items():
        fields = [(column, _type(role)) for column, role in table.columns.items()]
        arrays = [
            pa.array([_cell(row.get(column)) for row in table.rows], kind)
            for column, kind in fields
        ]
        connection.register(name, pa.Table.from_arrays(arrays, schema=pa.schema(fields)))


def _union(
    table: Table, recent: Iterable[Generation], *, segments: Iterable[Segment], directory: Path
) -> str:
    columns = ", ".join(map(ddl.quoted, table.column_names))
    parts = [
        f"SELECT {columns} FROM {each.schema}.{ddl.quoted(table.name)}"  # noqa: S608 - our names
        for each in recent
    ]
    listed = list(segments)
    parts += [from_segments(table, listed, directory=directory)] if listed else []
    return "\nUNION ALL ".join(parts)


def from_segments(table: Table, segments: Iterable[Segment], *, directory: Path) -> str:
    """The rows of segments of one table, whatever their age, as a query."""
    by_shape: dict[tuple[str, ...], list[str]] = {}
    for segment in segments:
        file = ddl.text(str(directory / segment.file))
        by_shape.setdefault(segment.columns, []).append(file)
    return "\nUNION ALL ".join(
        _from_files(table, shape, files) for shape, files in by_shape.items()
    )


def _from_files(table: Table, shape: tuple[str, ...], files: list[str]) -> str:
    """Files of one shape; columns they are too old to have hold their default."""
    columns = ", ".join(
        layout.read_back(table, column.name)
        if column.name in shape
        else f"{ddl.literal(column)} AS {ddl.quoted(column.name)}"
        for column in table.columns
    )
    return f"SELECT {columns} FROM read_parquet([{', '.join(files)}])"  # noqa: S608 - quoted


def _type(role: str) -> pa.DataType:
    try:
        return STATE_TYPES[role]
    except KeyError:
        raise QueryError(f"no role {role!r} for a column of a state table") from None


def _cell(value: object) -> object:
    return list(value.items()) if isinstance(value, dict) else value
