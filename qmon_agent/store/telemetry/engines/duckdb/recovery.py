"""Opening the hot file: read every block once, repair what is older, begin anew what is damaged."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import duckdb

from qmon_agent import durable
from qmon_agent.domain.errors import StoreError
from qmon_agent.journal import Position
from qmon_agent.store.telemetry.manifest import Manifest
from qmon_agent.store.telemetry.options import TelemetryOptions
from qmon_agent.store.telemetry.schema import Table

from . import ddl, limits, series
from .hot import LAYOUT, Hot, transaction

FILE = "hot.duckdb"
WAL = ".wal"
ASIDE = "damaged.duckdb"
OPENING = "hot.opening"
BEGUN_ANEW = "hot.begun-anew"
"""There from the moment the file is discarded until there is another: it was no accident."""
NOT_DAMAGE = ("Could not set lock", "No space left")
"""DuckDB says so of a file that is well, on a machine that is not."""


class DamagedError(Exception):
    """The hot file cannot be trusted."""


def open_hot(
    options: TelemetryOptions, manifest: Manifest, *, room: Path, counts: Counter[str]
) -> tuple[Hot, duckdb.DuckDBPyConnection]:
    """Open the hot file in `room`; what is damaged, foreign or kills its reader is set aside."""
    path = room / FILE
    mark = path.with_name(OPENING)
    if mark.exists():  # whoever opened it last did not live to say how it went
        _set_aside(path)
        counts["rebuilt"] += 1
    elif not path.exists() and manifest.exported != Position():
        anew = path.with_name(BEGUN_ANEW).exists()
        counts["hot_file_begun_anew" if anew else "hot_file_gone"] += 1
    mark.touch()
    try:
        opened = _open(path, options, manifest)
    except (DamagedError, duckdb.Error) as error:
        if any(words in str(error) for words in NOT_DAMAGE):
            raise StoreError(f"the hot file: {error}") from error
        _set_aside(path)
        counts["rebuilt"] += 1
        opened = _open(path, options, manifest)
    finally:
        mark.unlink(missing_ok=True)
    _remove(path.with_name(BEGUN_ANEW))
    return opened


def discard(room: Path) -> None:
    """Remove the hot file, the WAL first, and the damaged one that was kept to be looked at."""
    (room / BEGUN_ANEW).touch()
    for name in (FILE + WAL, FILE, ASIDE):
        _remove(room / name)
    durable.sync(room)


def _open(
    path: Path, options: TelemetryOptions, manifest: Manifest
) -> tuple[Hot, duckdb.DuckDBPyConnection]:
    fresh = not path.exists()
    if fresh:
        _remove(path.with_name(path.name + WAL))
    connection = limits.connect(
        path,
        readable=Path(options.directory) / "segments",
        memory_limit_mb=options.memory_limit_mb,
        threads=options.threads,
    )
    try:
        if fresh:
            hot = Hot.create(connection, manifest.generation + 1, manifest.exported)
        else:
            hot = _examined(connection, manifest)
    except BaseException:
        connection.close()
        raise
    return hot, connection


def _examined(connection: duckdb.DuckDBPyConnection, manifest: Manifest) -> Hot:
    layout = connection.execute("SELECT version FROM qmon.layout").fetchall()
    if layout != [(LAYOUT,)]:
        raise DamagedError(f"layout {layout}, not {LAYOUT}")
    hot = Hot(connection)
    if not hot.generations:
        raise DamagedError("no generation")
    _clear_exported(hot, manifest)
    _check_chain(hot, manifest.exported)
    for generation in hot.generations:
        _bring_up_to_date(connection, generation.schema)
        _read_everything(connection, generation.schema)
    return hot


def _clear_exported(hot: Hot, manifest: Manifest) -> None:
    """A kill between the manifest and the clearing leaves rows that are in segments already."""
    if hot.live.number <= manifest.generation:
        raise DamagedError(f"generation {hot.live.number} was exported: the file is an old one")
    for generation in hot.sealed:
        if generation.number <= manifest.generation:
            hot.drop(generation)


def _check_chain(hot: Hot, exported: Position) -> None:
    """Every stretch must begin where the one before it ended, the first at the export mark."""
    reached = exported.record_id
    for generation in hot.generations:
        if generation.start.record_id != reached:
            raise DamagedError(f"rows begin at {generation.start.record_id}, not at {reached}")
        reached = generation.reached.record_id


def _bring_up_to_date(connection: duckdb.DuckDBPyConnection, schema: str) -> None:
    """Add tables and columns that this version has and the file has not."""
    known: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE schema_name = ?",
        [schema],
    ).fetchall():
        known.setdefault(table, {})[column] = kind
    with transaction(connection):
        for table in series.WRITTEN:
            present = known.get(table.name)
            if present is None:
                connection.execute(ddl.create(table, schema))
                continue
            for statement in ddl.add(table, schema, present):
                connection.execute(statement)
        connection.execute(series.view(schema))
    for table in series.WRITTEN:
        _check_types(table, known.get(table.name, {}))


def _check_types(table: Table, present: dict[str, str]) -> None:
    wanted = {column.name: ddl.TYPES[column.role] for column in table.columns}
    for column, kind in present.items():
        if kind != wanted.get(column, kind):
            raise DamagedError(f"{table.name}.{column} is {kind}, not {wanted[column]}")


def _read_everything(connection: duckdb.DuckDBPyConnection, schema: str) -> None:
    """DuckDB checks a block when it reads it, so read all: a flipped byte shows now, not later."""
    for table in series.WRITTEN:
        source = f"{schema}.{ddl.quoted(table.name)}"
        query = f"SELECT bit_xor(hash(COLUMNS(*))) FROM {source}"  # noqa: S608 - our names
        connection.execute(query).fetchall()


def _set_aside(path: Path) -> None:
    """Keep the last damaged file for whoever wants to know; the next one takes its place."""
    if path.exists():
        path.replace(path.with_name(ASIDE))
    _remove(path.with_name(path.name + WAL))


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
