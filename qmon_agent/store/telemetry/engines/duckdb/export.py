"""From a sealed generation to Parquet segments: one file per table and day, sorted by time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import msgspec

from qmon_agent import durable
from qmon_agent.domain.errors import StoreError
from qmon_agent.journal import Position
from qmon_agent.store.telemetry.manifest import Segment
from qmon_agent.store.telemetry.schema import EVERY_TABLE, Table

from . import ddl
from .hot import Generation

FOLDER = "segments"
OTHER_DAYS = "other"
MAX_DAYS = 40
"""Days of one table that get a file of their own; clocks gone wrong must not make thousands."""
ROW_GROUP = 122_880
MARK = "qmon"
"""The key under which a segment says of itself what it is."""

DAYS = """
SELECT CAST(CAST(time AS DATE) AS VARCHAR) AS day, count(*)
FROM {source} GROUP BY day ORDER BY count(*) DESC, day
"""
COPY = """
COPY (SELECT * FROM {source} WHERE {condition} ORDER BY time)
TO {target} (
  FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {row_group}, KV_METADATA {{{key}: {mark}}})
"""
BOUNDS = """
SELECT count(*), min(epoch_ns(time)), max(epoch_ns(time)) FROM read_parquet({target})
"""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What a segment knows of itself, so that a lost list of segments can be made anew."""

    version: int = 1
    table: str
    day: str
    rows: int
    generation: int
    parts: int
    """Segments of this generation."""
    start: Position
    reached: Position


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that go into one file."""

    table: Table
    day: str
    condition: str
    rows: int


def export(
    connection: duckdb.DuckDBPyConnection, generation: Generation, *, directory: Path
) -> tuple[Segment, ...]:
    """Write a generation into segments: on the disk, whole and counted when this returns."""
    pieces = [
        piece for table in EVERY_TABLE for piece in _slices(connection, generation, table=table)
    ]
    return tuple(
        _write(connection, generation, piece=piece, parts=len(pieces), directory=directory)
        for piece in pieces
    )


def _slices(
    connection: duckdb.DuckDBPyConnection, generation: Generation, *, table: Table
) -> Iterator[Slice]:
    source = f"{generation.schema}.{ddl.quoted(table.name)}"
    days = connection.execute(DAYS.format(source=source)).fetchall()
    for day, rows in days[:MAX_DAYS]:
        condition = f"CAST(CAST(time AS DATE) AS VARCHAR) = {ddl.text(day)}"
        yield Slice(table=table, day=day, condition=condition, rows=rows)
    if rest := days[MAX_DAYS:]:
        named = ", ".join(ddl.text(day) for day, _ in days[:MAX_DAYS])
        condition = f"CAST(CAST(time AS DATE) AS VARCHAR) NOT IN ({named})"
        rows = sum(rows for _, rows in rest)
        yield Slice(table=table, day=OTHER_DAYS, condition=condition, rows=rows)


def _write(
    connection: duckdb.DuckDBPyConnection,
    generation: Generation,
    *,
    piece: Slice,
    parts: int,
    directory: Path,
) -> Segment:
    file = f"{FOLDER}/{piece.table.name}/{piece.day}/{generation.number:08}.parquet"
    path = directory / file
    _make_folder(path.parent, below=directory)
    target = ddl.text(str(path))
    source = f"{generation.schema}.{ddl.quoted(piece.table.name)}"
    connection.execute(
        COPY.format(
            source=source,
            condition=piece.condition,
            target=target,
            row_group=ROW_GROUP,
            key=MARK,
            mark=ddl.text(_mark(generation, piece, parts=parts)),
        )
    )
    durable.sync(path)
    durable.sync(path.parent)
    rows, oldest, newest = connection.execute(BOUNDS.format(target=target)).fetchall()[0]
    if rows != piece.rows:
        raise StoreError(f"{file} has {rows} rows, not {piece.rows}")
    return Segment(
        file=file,
        table=piece.table.name,
        day=piece.day,
        rows=rows,
        bytes=path.stat().st_size,
        sha256=durable.sha256_of(path),
        oldest=oldest,
        newest=newest,
        written=time.time_ns(),
        columns=piece.table.column_names,
    )


def _mark(generation: Generation, piece: Slice, *, parts: int) -> str:
    mark = Mark(
        table=piece.table.name,
        day=piece.day,
        rows=piece.rows,
        generation=generation.number,
        parts=parts,
        start=generation.start,
        reached=generation.reached,
    )
    return msgspec.json.encode(mark).decode()


def _make_folder(folder: Path, *, below: Path) -> None:
    """Make it, and have its name on the disk."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        if made.is_relative_to(below):
            durable.sync(made.parent)
