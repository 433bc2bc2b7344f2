"""Small segments become larger ones: beside everything else, with its own memory, at a low pace.

The order is the promise: the joined file is on the disk under a name that no list knows, then gets
its own, then the list names it in place of its parts, all in one. Killed in between, the list
names the parts still, and what it does not name is removed at the next start. The parts stay for a
while after that, for readers that read the list before.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import duckdb
import msgspec

from qmon_agent import durable
from qmon_agent.domain.errors import StoreError
from qmon_agent.store.telemetry.joins import Limits, next_join
from qmon_agent.store.telemetry.ledger import Ledger
from qmon_agent.store.telemetry.manifest import Manifest, Segment
from qmon_agent.store.telemetry.options import TelemetryOptions
from qmon_agent.store.telemetry.rollups import LISTED
from qmon_agent.store.telemetry.stretches import Stretch, stretch_of

from . import layout, views
from .beside import NS, Beside
from .export import Mark, segment_of
from .rewriting import mark_of

UNFINISHED = "*.joining"
LEAST_ROWS = 10_000


class Joiner(Beside):
    """Joins in a thread of its own, one after the other."""

    def __init__(self, options: TelemetryOptions, ledger: Ledger, counts: Counter[str]) -> None:
        super().__init__(
            Path(options.directory),
            name="join",
            memory_limit_mb=options.joining.memory_limit_mb,
            share=options.joining.share,
        )
        self._options = options.joining
        self._ledger = ledger
        self._counts = counts
        self._limits = Limits(rows=self._options.rows, bytes=self._options.wide_bytes)

    def tend(self, *, now: int) -> None:
        """Begin the next join if it is time, and there is one."""
        if not self._options.is_on or not self._is_due():
            return
        self._not_before = time.monotonic_ns() + int(self._options.interval_s * NS)
        if parts := next_join(self._ledger.manifest.segments, self._limits, now=now):
            self._begin(lambda: self._work(parts))

    def _work(self, parts: Sequence[Segment]) -> None:
        try:
            self._join(parts)
        except duckdb.OutOfMemoryException:
            self._limits = _halved(self._limits)
            self._counts["join_failures"] += 1
        except (duckdb.Error, OSError, StoreError, msgspec.DecodeError, IndexError):
            self._counts["join_failures"] += not self._closing

    def _join(self, parts: Sequence[Segment]) -> None:
        whole, table = _stretch(parts), LISTED[parts[0].table]
        path = (self._directory / parts[0].file).with_name(whole.file)
        fresh = path.with_suffix(".joining")
        rows = views.from_segments(table, parts, directory=self._directory)
        try:
            with self._opened() as connection:
                mark = _mark(connection, parts, directory=self._directory)
                layout.write(
                    connection,
                    layout.in_order(f"({rows})", table),
                    table=table,
                    target=fresh,
                    group=layout.group_of(max(each.width for each in parts)),
                    mark=msgspec.json.encode(mark).decode(),
                )
                file = str(path.relative_to(self._directory))
                made = segment_of(connection, fresh, file=file, mark=mark, table=table)
            # Rows are not younger for having been written again.
            written = max(each.written for each in parts)
            self._swap(parts, msgspec.structs.replace(made, written=written), fresh=fresh)
        finally:
            fresh.unlink(missing_ok=True)

    def _swap(self, parts: Sequence[Segment], whole: Segment, *, fresh: Path) -> None:
        gone = frozenset(each.file for each in parts)

        def made(manifest: Manifest) -> Manifest:
            joined = manifest.joining(gone, whole)
            if joined is not manifest:
                path = self._directory / whole.file
                fresh.replace(path)
                durable.sync(path.parent)
                self._ledger.retire(gone)
            return joined

        if not self._ledger.change(made):
            return
        self._counts["joins"] += 1
        self._counts["joined_segments"] += len(parts)


def _stretch(parts: Sequence[Segment]) -> Stretch:
    names = [stretch for each in parts if (stretch := stretch_of(each.file))]
    return Stretch(names[0].first, names[-1].last)


def _mark(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[Segment], *, directory: Path
) -> Mark:
    marks = [mark_of(connection, directory / each.file) for each in parts]
    rows = sum(each.rows for each in parts)
    return Mark(
        table=parts[0].table,
        day=parts[0].day,
        rows=rows,
        generation=marks[-1].generation,
        parts=0,
        start=marks[0].start,
        reached=marks[-1].reached,
        width=sum(each.width * each.rows for each in parts) // rows,
        rolled=sum(each.rolled for each in marks) if all(each.rolled for each in marks) else 0,
    )


def _halved(allowed: Limits) -> Limits:
    return Limits(rows=max(LEAST_ROWS, allowed.rows // 2), bytes=allowed.bytes // 2)
