"""From a sealed generation to Parquet segments: a file per table and day, a few for wide rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import msgspec

from qmon_agent import durable
from qmon_agent.domain.errors import StoreError
from qmon_agent.domain.tiers import ROLLED
from qmon_agent.journal import Position
from qmon_agent.store.telemetry.joins import NARROW
from qmon_agent.store.telemetry.manifest import Segment
from qmon_agent.store.telemetry.schema import EVERY_TABLE, Table
from qmon_agent.store.telemetry.stretches import Stretch

from . import ddl, layout
from .hot import Generation

FOLDER = "segments"
OTHER_DAYS = "other"
MAX_DAYS = 40
"""Days of one table that get a file of their own; clocks gone wrong must not make thousands."""
WINDOW_BYTES = 24 << 20
"""So much of wide rows is sorted at once."""
PROBES = 16
PROBED_ROWS = 32

DAYS = """
SELECT CAST(CAST(time AS DATE) AS VARCHAR) AS day, rowid // {window} AS piece, count(*)
FROM {source} GROUP BY ALL ORDER BY day, piece
"""
BOUNDS = """
SELECT count(*), min(epoch_ns(time)), max(epoch_ns(time)) FROM read_parquet({target})
"""
MARKS = "SELECT value FROM parquet_kv_metadata({target}) WHERE key = {key}"


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What a segment knows of itself, so that a lost list of segments can be made anew."""

    version: int = 1
    table: str
    day: str
    rows: int
    generation: int
    parts: int
    """Segments of this generation; 0 where it was joined of several."""
    start: Position
    reached: Position
    width: int = 0


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that go into one file."""

    table: Table
    day: str
    condition: str
    rows: int
    width: int
    part: int = 0


def export(
    connection: duckdb.DuckDBPyConnection, generation: Generation, *, directory: Path
) -> tuple[Segment, ...]:
    """Write a generation into segments: on the disk, whole and counted when this returns."""
    pieces = [
        piece for table in EVERY_TABLE for piece in slices(connection, generation, table=table)
    ]
    return tuple(
        write(connection, generation, piece=piece, parts=len(pieces), directory=directory)
        for piece in pieces
    )


def segment_of(
    connection: duckdb.DuckDBPyConnection, path: Path, *, file: str, mark: Mark, table: Table
) -> Segment:
    """Have what was written on the disk, and count it; StoreError if a row is missing."""
    durable.sync(path)
    durable.sync(path.parent)
    target = ddl.text(str(path))
    rows, oldest, newest = connection.execute(BOUNDS.format(target=target)).fetchall()[0]
    if rows != mark.rows:
        raise StoreError(f"{file} has {rows} rows, not {mark.rows}")
    return Segment(
        file=file,
        table=table.name,
        day=mark.day,
        rows=rows,
        bytes=path.stat().st_size,
        sha256=durable.sha256_of(path),
        oldest=oldest,
        newest=newest,
        written=time.time_ns(),
        columns=table.column_names,
        width=mark.width,
        start=mark.start,
        reached=mark.reached,
    )


def slices(
    connection: duckdb.DuckDBPyConnection, generation: Generation, *, table: Table
) -> Iterator[Slice]:
    """What of a table goes into which file: always the same, for the same rows."""
    source = f"{generation.schema}.{ddl.quoted(table.name)}"
    width = _width(connection, source)
    window = max(1, WINDOW_BYTES // width) if width > NARROW else 1 << 62
    counted = connection.execute(DAYS.format(source=source, window=window)).fetchall()
    by_day: dict[str, dict[int, int]] = {}
    for day, piece, rows in counted:
        by_day.setdefault(day, {})[piece] = rows
    often = sorted(by_day, key=lambda day: (-sum(by_day[day].values()), day))
    for day in often[:MAX_DAYS]:
        whose = f"CAST(CAST(time AS DATE) AS VARCHAR) = {ddl.text(day)}"
        slice_ = Slice(table=table, day=day, condition=whose, rows=0, width=width)
        yield from _pieces(slice_, by_day[day], window)
    if often[MAX_DAYS:]:
        named = ", ".join(ddl.text(day) for day in often[:MAX_DAYS])
        whose = f"CAST(CAST(time AS DATE) AS VARCHAR) NOT IN ({named})"
        slice_ = Slice(table=table, day=OTHER_DAYS, condition=whose, rows=0, width=width)
        yield from _pieces(slice_, _together(by_day[day] for day in often[MAX_DAYS:]), window)


def _width(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    """Bytes that a row takes in memory, by a look at a few of them; at least 1."""
    last = connection.execute(f"SELECT max(rowid) FROM {source}").fetchall()[0][0] or 0  # noqa: S608 - our names
    rows = size = 0
    for probe in range(PROBES):
        first = (last + 1) * probe // PROBES
        looked = connection.sql(
            f"SELECT * FROM {source} WHERE rowid >= {first} AND rowid < {first + PROBED_ROWS}"  # noqa: S608 - our names
        ).to_arrow_table()
        rows, size = rows + looked.num_rows, size + looked.nbytes
    return max(1, size // max(1, rows))


def _pieces(whole: Slice, pieces: dict[int, int], window: int) -> Iterator[Slice]:
    """Windows in the order in which rows came: each is sorted for itself, in bounded memory."""
    if len(pieces) == 1:
        yield msgspec.structs.replace(whole, rows=sum(pieces.values()))
        return
    for part, (piece, rows) in enumerate(sorted(pieces.items()), start=1):
        first = piece * window
        within = f"{whole.condition} AND rowid >= {first} AND rowid < {first + window}"
        yield msgspec.structs.replace(whole, condition=within, rows=rows, part=part)


def _together(counted: Iterator[dict[int, int]]) -> dict[int, int]:
    sums: dict[int, int] = {}
    for pieces in counted:
        for piece, rows in pieces.items():
            sums[piece] = sums.get(piece, 0) + rows
    return sums


def write(
    connection: duckdb.DuckDBPyConnection,
    generation: Generation,
    *,
    piece: Slice,
    parts: int,
    directory: Path,
) -> Segment:
    """Write one of them."""
    name = Stretch(generation.number, generation.number, piece.part).file
    file = f"{FOLDER}/{piece.table.name}/{piece.day}/{name}"
    path = directory / file
    make_folder(path.parent, below=directory)
    mark = _mark(generation, piece, parts=parts)
    layout.write(
        connection,
        f"{generation.schema}.{ddl.quoted(piece.table.name)} WHERE {piece.condition}",
        table=piece.table,
        target=path,
        group=layout.group_of(piece.width),
        mark=msgspec.json.encode(mark).decode(),
    )
    made = segment_of(connection, path, file=file, mark=mark, table=piece.table)
    return msgspec.structs.replace(made, unrolled=piece.table.name in ROLLED)


def _mark(generation: Generation, piece: Slice, *, parts: int) -> Mark:
    return Mark(
        table=piece.table.name,
        day=piece.day,
        rows=piece.rows,
        generation=generation.number,
        parts=parts,
        start=generation.start,
        reached=generation.reached,
        width=piece.width,
    )


def make_folder(folder: Path, *, below: Path) -> None:
    """Make it, and have its name on the disk."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        if made.is_relative_to(below):
            durable.sync(made.parent)
