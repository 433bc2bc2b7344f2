"""A damaged segment of a rollup made anew of a finer tier, or of the raw rows, where all are there.

Every segment of a rollup says how many raw rows are in it. Of segments that lie in its stretch and
have as many together it is made again; with one row more or less it would not say what it said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import msgspec

from qmon_agent import durable
from qmon_agent.domain.errors import StoreError
from qmon_agent.store.telemetry.ledger import Ledger
from qmon_agent.store.telemetry.manifest import Manifest, Segment
from qmon_agent.store.telemetry.options import TelemetryOptions
from qmon_agent.store.telemetry.rollups import LISTED, ROLLUPS, Rollup, tiers_of
from qmon_agent.store.telemetry.stretches import Stretch, stretch_of

from . import ddl, folding, layout, limits, views
from .export import Mark, segment_of
from .rewriting import next_file
from .rolling import roll_rows, unfinished

Parts = tuple[Segment, ...]


def remake(options: TelemetryOptions, ledger: Ledger, damaged: Segment) -> bool:
    """Put a new one in its place; no, and nothing is changed, where what it is of is not there."""
    directory = Path(options.directory)
    parts = next(sources_of(damaged, ledger.manifest.segments), ())
    if not parts:
        return False
    file = next_file(damaged.file)
    fresh = unfinished(directory, file)
    try:
        with limits.connect_in_memory(
            directory, memory_limit_mb=options.rolling.memory_limit_mb
        ) as connection:
            pieces = 1 + sum(each.rows for each in parts) // options.rolling.rows_at_once
            _fold(connection, ROLLUPS[damaged.table], parts, directory=directory, pieces=pieces)
            made = _written(connection, damaged, parts, path=fresh, file=file)

        def listed(manifest: Manifest) -> Manifest:
            after = manifest.remade(damaged, made, of=parts)
            if after is not manifest:
                fresh.replace(directory / file)
                durable.sync(fresh.parent)
            return after

        return ledger.change(listed)
    finally:
        fresh.unlink(missing_ok=True)


def sources_of(damaged: Segment, segments: Iterable[Segment]) -> Iterator[Parts]:
    """What it can be made of, of all that is listed: the nearest tier first, the raw rows last."""
    rollup, listed = ROLLUPS[damaged.table], list(segments)
    finer = [each for each in tiers_of(rollup.source) if each.width_ns < rollup.width_ns]
    for table in (*(each.table.name for each in reversed(finer)), rollup.source):
        near = [each for each in listed if (each.table, each.day) == (table, damaged.day)]
        if parts := _all_of(damaged, near):
            yield parts


def _all_of(damaged: Segment, near: Iterable[Segment]) -> Parts:
    """Those in its stretch, if every raw row is in them that was in it; else nothing."""
    stretch = stretch_of(damaged.file)
    if stretch is None or not damaged.rolled:
        return ()
    parts = tuple(each for each in near if not each.unrolled and _is_within(each, stretch))
    rows = sum(each.rolled if each.table in ROLLUPS else each.rows for each in parts)
    return parts if rows == damaged.rolled else ()


def _is_within(segment: Segment, stretch: Stretch) -> bool:
    other = stretch_of(segment.file)
    if other is None or other.part != stretch.part:
        return False
    return stretch.first <= other.first <= other.last <= stretch.last


def _fold(
    connection: duckdb.DuckDBPyConnection,
    rollup: Rollup,
    parts: Parts,
    *,
    directory: Path,
    pieces: int,
) -> None:
    """Into a table of the rollup's name."""
    table = parts[0].table
    rows = views.from_segments(LISTED[table], parts, directory=directory)
    fold = folding.of_rows if table == rollup.source else folding.of_parts
    roll_rows(connection, rollup, f"({rows})", fold=fold, pieces=pieces)


def _written(
    connection: duckdb.DuckDBPyConnection, damaged: Segment, parts: Parts, *, path: Path, file: str
) -> Segment:
    stretch = stretch_of(damaged.file)
    if stretch is None:
        raise StoreError(f"{damaged.file} is named like no segment")
    name = ddl.quoted(damaged.table)
    counted = f"SELECT count(*) FROM {name}"  # noqa: S608 - our names
    mark = Mark(
        table=damaged.table,
        day=damaged.day,
        rows=int(connection.execute(counted).fetchall()[0][0]),
        generation=stretch.last,
        parts=0,
        start=min(each.start for each in parts),
        reached=max(each.reached for each in parts),
        rolled=damaged.rolled,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    table, said = LISTED[damaged.table], msgspec.json.encode(mark).decode()
    layout.write(connection, name, table=table, target=path, mark=said)
    made = segment_of(connection, path, file=file, mark=mark, table=table)
    times = {} if made.rows else {"oldest": damaged.oldest, "newest": damaged.newest}
    return msgspec.structs.replace(made, written=damaged.written, **times)
