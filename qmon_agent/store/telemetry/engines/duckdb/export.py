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

from . import ddl, layout, series
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
SELECT CAST(day AS VARCHAR) AS day, piece, rows FROM (
  SELECT CAST(time AS DATE) AS day, place // {window} AS piece, count(*) AS rows
  FROM {source} GROUP BY ALL)
ORDER BY day, piece
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
    rolled: int = 0


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
        rolled=mark.rolled,
    )


def slices(
    connection: duckdb.DuckDBPyConnection, generation: Generation, *, table: Table
) -> Iterator[Slice]:
    """What of a table goes into which file: always the same, for the same rows."""
    source = series.counted(table, generation.schema)
    width = _width(connection, generation, table)
    window = max(1, WINDOW_BYTES // width) if width > NARROW else 1 << 62
    counted = connection.execute(DAYS.format(source=source, window=window)).fetchall()
    by_day: dict[str, dict[int, int]] = {}
    for day, piece, rows in counted:
        by_day.setdefault(day, {})[piece] = rows
    often = sorted(by_day, key=lambda day: (-sum(by_day[day].values()), day))
    for day in often[:MAX_DAYS]:
        whose = f"CAST(time AS DATE) = {_date(day)}" if often[1:] else "true"
        slice_ = Slice(table=table, day=day, condition=whose, rows=0, width=width)
        yield from _pieces(slice_, by_day[day], window)
    if often[MAX_DAYS:]:
        named = ", ".join(map(_date, often[:MAX_DAYS]))
        whose = f"CAST(time AS DATE) NOT IN ({named})"
        slice_ = Slice(table=table, day=OTHER_DAYS, condition=whose, rows=0, width=width)
        yield from _pieces(slice_, _together(by_day[day] for day in often[MAX_DAYS:]), window)


def _date(day: str) -> str:
    return f"CAST({ddl.text(day)} AS DATE)"


def _width(connection: duckdb.DuckDBPyConnection, generation: Generation, table: Table) -> int:
    """Bytes that a row takes in memory, by a look at a few of them; at least 1."""
    if table is not series.POINTS:
        return max(1, _probed(connection, generation, table.name)[1])
    samples, spreads = (
        _probed(connection, generation, each.name) for each in (series.SAMPLES, series.SPREADS)
    )
    every = samples[0] * samples[1] + spreads[0] * spreads[1]
    named = _probed(connection, generation, series.SERIES.name)[1]
    return max(1, every // max(1, samples[0] + spreads[0]) + named)


def _probed(
    connection: duckdb.DuckDBPyConnection, generation: Generation, name: str
) -> tuple[int, int]:
    """About how many rows there are, and how many bytes one takes."""
    source = f"{generation.schema}.{ddl.quoted(name)}"
    last = connection.execute(f"SELECT max(rowid) FROM {source}").fetchall()[0][0]  # noqa: S608 - our names
    if last is None:
        return 0, 0
    rows = size = 0
    for probe in range(PROBES):
        first = (last + 1) * probe // PROBES
        looked = connection.sql(
            f"SELECT * FROM {source} WHERE rowid >= {first} AND rowid < {first + PROBED_ROWS}"  # noqa: S608 - our names
        ).to_arrow_table()
        rows, size = rows + looked.num_rows, size + looked.nbytes
    return last + 1, size // max(1, rows)


def _pieces(whole: Slice, pieces: dict[int, int], window: int) -> Iterator[Slice]:
    """Windows in the order in which rows came: each is sorted for itself, in bounded memory."""
    if len(pieces) == 1:
        yield msgspec.structs.replace(whole, rows=sum(pieces.values()))
        return
    for part, (piece, rows) in enumerate(sorted(pieces.items()), start=1):
        first = piece * window
        within = f"{whole.condition} AND place >= {first} AND place < {first + window}"
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
        _source(connection, generation, piece),
        table=piece.table,
        target=path,
        group=layout.group_of(piece.width),
        mark=msgspec.json.encode(mark).decode(),
    )
    made = segment_of(connection, path, file=file, mark=mark, table=piece.table)
    return msgspec.structs.replace(made, unrolled=piece.table.name in ROLLED)


def _source(connection: duckdb.DuckDBPyConnection, generation: Generation, piece: Slice) -> str:
    """The rows of a slice, in the order of the file."""
    schema = generation.schema
    if piece.table is series.POINTS:
        return series.in_order(
            schema,
            order=layout.order_of(series.SERIES),
            condition=piece.condition,
            spread=_probed(connection, generation, series.SPREADS.name)[0] > 0,
        )
    source = f"{schema}.{ddl.quoted(piece.table.name)}"
    rows = f"(SELECT *, rowid AS place FROM {source}) WHERE {piece.condition}"  # noqa: S608 - our names
    return layout.in_order(rows, piece.table)


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
