"""From the journal into the engine: read, decode, store, and put aside what no table takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec
import pyarrow as pa

from qmon_agent.journal import PATIENCE_S, JournalReader, Position, Record

from .decoding import Batch, Rows, decode, together
from .engine import DiskFailedError, Engine, RefusedError
from .repeats import without_repeats
from .suspect import Suspect

Bury = Callable[[Record, str], None]


class Taken(msgspec.Struct, frozen=True):
    """A record and its rows."""

    record: Record
    rows: Rows


class Taking(Protocol):
    """As much of an engine as is needed to follow the journal."""

    @property
    def stored(self) -> Position: ...

    def append(self, batch: Batch, place: Position) -> None: ...


class Intake:
    """An engine as who feeds it sees it: what it has taken is done with."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def stored(self) -> Position:
        return self._engine.taken

    def append(self, batch: Batch, place: Position) -> None:
        self._engine.append(batch, place)


class Follower:
    """Reads the journal from where the engine is; what it returns from is stored for certain."""

    def __init__(
        self, journal: Path, engine: Taking, *, bury: Bury, suspect: Suspect | None = None
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._suspect = suspect
        self._engine = engine
        self._bury = bury
        self._reader = JournalReader(journal, engine.stored, patience_s=PATIENCE_S)

    def follow(self, until: Position, *, max_bytes: int) -> bool:
        """Store one batch of what is committed; False when there was nothing to read."""
        if until.record_id <= self._engine.stored.record_id:
            return False
        records = self._reader.read(until.record_id, max_bytes)
        if records:
            try:
                for group in self._groups(records):
                    taken = [each for record in group if (each := self._decoded(record))]
                    self._store(taken, group)
            except (DiskFailedError, OSError):
                self._acquit()
                raise
            self.counts["batches"] += 1
            self.counts["frames"] += len(records)
        self.counts["missed_records"] = self._reader.missed
        return bool(records)

    def close(self) -> None:
        self._reader.close()

    def _groups(self, records: Sequence[Record]) -> Iterator[Sequence[Record]]:
        """All together; or one by one, after the worker died and nobody knows of which."""
        if self._suspect is None or not self._suspect.careful:
            yield records
            return
        for record in records:
            if self._suspect.convicted(record.record_id):
                self._put_aside(record, "the store died of it")
                self._engine.append(together([]), record.position)
            else:
                self._suspect.watch(record.record_id)
                yield [record]
            self._suspect.clear()

    def _acquit(self) -> None:
        """What was being stored is not to blame for a disk."""
        if self._suspect is not None:
            with suppress(OSError):
                self._suspect.clear()

    def _decoded(self, record: Record) -> Taken | None:
        try:
            return Taken(record, decode(record.payload, self.counts))
        except ValueError as error:
            self._put_aside(record, f"undecodable: {error}")
            return None

    def _store(self, taken: Sequence[Taken], records: Sequence[Record]) -> None:
        """All at once; if the engine refuses, by halves, until the culprit stands alone."""
        try:
            batch = together([each.rows for each in taken])
            self._engine.append(batch, records[-1].position)
            self.counts["rows"] += batch.rows
        except (RefusedError, pa.ArrowException) as error:
            if mended := self._mended(taken):
                self._store(mended, records)
                return
            if len(taken) == 1 == len(records):
                self._put_aside(records[0], f"refused: {error}")
                self._engine.append(together([]), records[0].position)
                return
            self._by_halves(taken, records)

    def _mended(self, taken: Sequence[Taken]) -> Sequence[Taken] | None:
        """The same without what can be mended; none if there is nothing to mend."""
        pairs = [without_repeats(each.rows.kinds) for each in taken]
        left_out = sum(count for _, count in pairs)
        if not left_out:
            return None
        self.counts["repeated_keys"] += left_out
        return [
            Taken(each.record, Rows(kinds, each.rows.speaker))
            for each, (kinds, _) in zip(taken, pairs, strict=True)
        ]

    def _by_halves(self, taken: Sequence[Taken], records: Sequence[Record]) -> None:
        middle = (len(records) + 1) // 2
        for half in (records[:middle], records[middle:]):
            if half:
                ids = {record.record_id for record in half}
                self._store([each for each in taken if each.record.record_id in ids], half)

    def _put_aside(self, record: Record, reason: str) -> None:
        """Told before it is passed: after a crash it may be told twice, never not at all."""
        self.counts["buried"] += 1
        self._bury(record, reason.encode("ascii", "backslashreplace").decode())
