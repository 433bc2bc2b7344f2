"""Segments rolled up, one after the other, in a thread of its own and at a low pace.

The order is the promise: a file for each tier on the disk under names that no list knows, then
their own names, and one change of the list that names them and says that the segment is rolled up.
Killed before that, what was written is removed at the next start, and made again. Until then the
segment's rows are rolled up while they are asked for (`views`): an answer is the same before and
after.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb
import msgspec

from qmon_agent import durable
from qmon_agent.domain.errors import StoreError
from qmon_agent.store.telemetry.ledger import Ledger
from qmon_agent.store.telemetry.manifest import Manifest, Segment
from qmon_agent.store.telemetry.options import TelemetryOptions
from qmon_agent.store.telemetry.rollups import Rollup, tiers_of
from qmon_agent.store.telemetry.schema import BY_NAME
from qmon_agent.store.telemetry.stretches import stretch_of

from . import ddl, folding, layout, views
from .beside import Beside
from .export import FOLDER, Mark, make_folder, segment_of
from .rewriting import mark_of

UNFINISHED = ".rolling"
RETRY_NS = 600 * 10**9
APART = {"points": "metric", "spans": "name"}
"""Raw table → what shares its rows out, so that all of a series are together."""


class Roller(Beside):
    """Rolls up what the list says is not rolled up yet, the oldest first."""

    def __init__(self, options: TelemetryOptions, ledger: Ledger, counts: Counter[str]) -> None:
        super().__init__(
            Path(options.directory),
            name="roll",
            memory_limit_mb=options.rolling.memory_limit_mb,
            share=options.rolling.share,
        )
        self._options = options.rolling
        self._ledger = ledger
        self._counts = counts
        self._again_at: dict[str, int] = {}

    def tend(self, *, now: int) -> None:
        """Begin with the next one if it is time, and there is one."""
        if not self._is_due():
            return
        if waiting := list(self.waiting(now)):
            oldest = min(waiting, key=_place)
            self._begin(lambda: self._work(oldest))

    def waiting(self, now: int) -> Iterator[Segment]:
        """What is not rolled up, but for what failed a moment ago."""
        for segment in self._ledger.manifest.segments:
            if segment.unrolled and self._again_at.get(segment.file, 0) <= now:
                yield segment

    def _work(self, segment: Segment) -> None:
        try:
            self._roll(segment)
        except (duckdb.Error, OSError, StoreError, msgspec.DecodeError, IndexError):
            self._counts["rollup_failures"] += not self._closing
            self._again_at[segment.file] = time.time_ns() + RETRY_NS

    def _roll(self, segment: Segment) -> None:
        fresh: list[Segment] = []
        try:
            with self._opened() as connection:
                for made in self._made(connection, segment):
                    fresh.append(made)
                    if self._closing:
                        raise StoreError("the store is closed")
            if self._ledger.change(lambda manifest: self._listed(manifest, segment, fresh)):
                self._counts["rolled_segments"] += 1
        finally:
            for each in fresh:
                unfinished(self._directory, each.file).unlink(missing_ok=True)

    def _made(self, connection: duckdb.DuckDBPyConnection, segment: Segment) -> Iterator[Segment]:
        pieces = 1 + segment.rows // self._options.rows_at_once
        return roll(connection, segment, directory=self._directory, pieces=pieces)

    def _listed(self, manifest: Manifest, segment: Segment, fresh: Sequence[Segment]) -> Manifest:
        """The list with the rollups, which get their names; as it was, if the segment is gone."""
        listed = manifest.rolled_up(segment, fresh)
        if listed is not manifest:
            for each in fresh:
                path = self._directory / each.file
                unfinished(self._directory, each.file).replace(path)
                durable.sync(path.parent)
        return listed


def roll(
    connection: duckdb.DuckDBPyConnection, segment: Segment, *, directory: Path, pieces: int = 1
) -> Iterator[Segment]:
    """Write the rollups of a segment, the finest first: each is on the disk when it is yielded.

    Their files are unfinished ones still, whose names no list has.
    """
    mark = mark_of(connection, directory / segment.file)
    source = f"({views.from_segments(BY_NAME[segment.table], [segment], directory=directory)})"
    fold, finer = folding.of_rows, ""
    for rollup in tiers_of(segment.table):
        roll_rows(connection, rollup, source, fold=fold, pieces=pieces)
        if finer:
            connection.execute(f"DROP TABLE {finer}")
        fold, source = folding.of_parts, (finer := ddl.quoted(rollup.table.name))
        yield _write(connection, rollup, segment, mark=mark, directory=directory)


def unfinished(directory: Path, file: str) -> Path:
    """Where a rollup is until it is listed."""
    return (directory / file).with_suffix(UNFINISHED)


def roll_rows(
    connection: duckdb.DuckDBPyConnection,
    rollup: Rollup,
    source: str,
    *,
    fold: Callable[[Rollup, str], str],
    pieces: int,
) -> None:
    """Some series after the others where there are many rows, so that memory is bounded."""
    target, apart = ddl.quoted(rollup.table.name), APART[rollup.source]
    for piece in range(pieces):
        some = f"SELECT * FROM {source} WHERE hash({apart}) % {pieces} = {piece}"  # noqa: S608 - our names
        begin = f"INSERT INTO {target} " if piece else f"CREATE TABLE {target} AS "
        connection.execute(begin + fold(rollup, some))


def _write(
    connection: duckdb.DuckDBPyConnection,
    rollup: Rollup,
    segment: Segment,
    *,
    mark: Mark,
    directory: Path,
) -> Segment:
    name = rollup.table.name
    file = f"{FOLDER}/{name}/{segment.day}/{Path(segment.file).name}"
    path = unfinished(directory, file)
    make_folder(path.parent, below=directory)
    counted = f"SELECT count(*) FROM {ddl.quoted(name)}"  # noqa: S608 - our names
    rows = int(connection.execute(counted).fetchall()[0][0])
    own = msgspec.structs.replace(mark, table=name, rows=rows, width=0, rolled=segment.rows)
    layout.write(
        connection,
        layout.in_order(ddl.quoted(name), rollup.table),
        table=rollup.table,
        target=path,
        mark=msgspec.json.encode(own).decode(),
    )
    made = segment_of(connection, path, file=file, mark=own, table=rollup.table)
    if not rows:  # nothing in it was a number
        made = msgspec.structs.replace(made, oldest=segment.oldest, newest=segment.newest)
    return msgspec.structs.replace(made, written=segment.written)


def _place(segment: Segment) -> tuple[str, int, int]:
    stretch = stretch_of(segment.file)
    return segment.day, stretch.first if stretch else 0, stretch.part if stretch else 0
