"""The agent's durable log: what `commit` has answered for survives every kill and power cut."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from qmon_agent.domain.clock import Clock, SystemClock

from .counts import Counts
from .cursors import Cursors
from .deadletters import DeadLetter, DeadLetters
from .dedup import DedupIndex
from .disk import Disk, OsDisk
from .errors import JournalFullError, JournalInUseError
from .options import JournalOptions
from .places import Places
from .records import HEAD_BYTES, Entry, Position, Record
from .recovery import Recovery
from .retention import Trimmed
from .segments import SegmentName
from .writer import Writer

_TROUBLE = {errno.ENOSPC: "disk_full", errno.EDQUOT: "disk_full"}


class JournalStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a journal is. `trouble`: why the disk does not take at the moment, or nothing."""

    bytes: int
    segments: int
    oldest: Position
    committed: Position
    pending_records: int
    pending_bytes: int
    free_bytes: int
    trouble: str
    settled: bool
    processes: int
    counts: dict[str, int]
    lost: dict[str, int]


class Journal:
    """One writer's journal in one directory. `append` and `seen` never wait for the disk.

    While `settled` is not set, old segments whose sidecars were damaged are still being read in
    the background: a False from `seen` is not final then. `GroupCommitter` keeps what arrives in
    that time in memory, unacknowledged, instead of storing it twice.
    """

    def __init__(
        self, directory: Path, *, options: JournalOptions, disk: Disk, clock: Clock
    ) -> None:
        self.options = options
        self.settled = threading.Event()
        self._clock = clock
        self._counts = Counts()
        self._places = Places(disk, directory, counts=self._counts)
        self._places.prepare()
        self._unlock = _lock(self._places)
        self._dedup = DedupIndex(options)
        self._recovery = Recovery(
            self._places, options=options, counts=self._counts, dedup=self._dedup
        )
        recovered = self._recovery.run()
        self._writer = Writer(
            self._places, recovered, options=options, counts=self._counts, dedup=self._dedup
        )
        self.cursors = Cursors(self._places, counts=self._counts, oldest=self._writer.oldest)
        self._dead = DeadLetters(self._places, options=options, counts=self._counts)
        self._gate = threading.Lock()
        self._commit_lock = threading.Lock()
        self._pending: list[Entry] = []
        self._pending_bytes = 0
        self._next_id = max(
            [recovered.next_id, *(at.record_id + 1 for at in self.cursors.all().values())]
        )
        self._committed = self._writer.end()
        self._trouble = ""
        self._closing = threading.Event()
        self._indexer = self._index_in_background(recovered.unindexed)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        options: JournalOptions | None = None,
        disk: Disk | None = None,
        clock: Clock | None = None,
    ) -> Journal:
        """Ready at once whatever is there. Raises JournalInUseError, and nothing for damage."""
        return cls(
            directory,
            options=options or JournalOptions(),
            disk=disk or OsDisk(),
            clock=clock or SystemClock(),
        )

    def seen(self, process: bytes, sequence: int) -> bool:
        """Is it stored, that is durable, already?"""
        return (process, sequence) in self._dedup

    def append(self, payload: bytes, *, process: bytes, sequence: int) -> int:
        """Take a record into memory and answer its id; raises JournalFullError at the bound."""
        size = HEAD_BYTES + len(payload)
        with self._gate:
            if self._pending and self._pending_bytes + size > self.options.memory_bytes:
                raise JournalFullError(self._trouble or "busy")
            entry = Entry(
                record_id=self._next_id,
                time=self._clock.now(),
                process=process,
                sequence=sequence,
                payload=payload,
            )
            self._next_id += 1
            self._pending.append(entry)
            self._pending_bytes += size
        return entry.record_id

    def commit(self) -> Position:
        """Write and sync all that is pending; answers up to where the journal is durable.

        That is short of what was appended when the disk does not take it: see `trouble`.
        """
        while self.commit_batch():
            pass
        return self._committed

    def commit_batch(self) -> list[Record]:
        """One write, one sync. Nothing: nothing was pending, or the disk did not take it."""
        with self._commit_lock:
            batch = self._next_batch()
            if not batch:
                return []
            try:
                records = self._writer.store(batch)
            except OSError as error:
                self._counts.add("failed_commits")
                self._trouble = _TROUBLE.get(error.errno or 0, "disk_error")
                return []
            self._trouble = ""
            self._committed = records[-1].position
            with self._gate:
                del self._pending[: len(batch)]
                self._pending_bytes -= sum(HEAD_BYTES + len(one.payload) for one in batch)
        self._counts.add("commits")
        self._counts.add("records", len(batch))
        return records

    @property
    def committed(self) -> Position:
        return self._committed

    @property
    def trouble(self) -> str:
        """Why the last commit failed: `disk_full`, `disk_error`, or nothing."""
        return self._trouble

    @property
    def pending_bytes(self) -> int:
        return self._pending_bytes

    def bury(self, payload: bytes, reason: str) -> bool:
        """Keep a payload nobody can take as a dead letter; False: not even that."""
        return self._dead.bury(payload, reason, now=self._clock.now())

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        return self._dead.list(limit)

    def trim(self) -> Trimmed:
        """Delete whole segments which every cursor has passed, or which are over a bound."""
        with self._commit_lock:
            return self._writer.trim(self.cursors.all(), now=self._clock.now())

    def status(self) -> JournalStatus:
        with self._commit_lock:
            segments, size = self._writer.sizes()
            return JournalStatus(
                bytes=size,
                segments=segments,
                oldest=self._writer.oldest(),
                committed=self._committed,
                pending_records=len(self._pending),
                pending_bytes=self._pending_bytes,
                free_bytes=self._writer.free(),
                trouble=self._trouble,
                settled=self.settled.is_set(),
                processes=len(self._dedup),
                counts=self.vitals,
                lost=dict(self._writer.lost),
            )

    @property
    def vitals(self) -> dict[str, int]:
        """All counters; they grow only."""
        return {**self._counts.read(), "dedup_forgotten": self._dedup.forgotten}

    def close(self) -> None:
        """Commit what the disk takes and let go. What it does not take was never acknowledged."""
        self._closing.set()
        if self._indexer:
            self._indexer.join()
        self.commit()
        self._writer.close()
        self._dead.close()
        self._unlock()

    def _next_batch(self) -> list[Entry]:
        batch: list[Entry] = []
        room = self.options.batch_bytes
        with self._gate:
            for entry in self._pending:
                room -= HEAD_BYTES + len(entry.payload)
                if batch and room < 0:
                    break
                batch.append(entry)
        return batch

    def _index_in_background(self, names: list[SegmentName]) -> threading.Thread | None:
        if not names:
            self.settled.set()
            return None
        thread = threading.Thread(
            target=self._index, args=(names,), name="qmon-journal-index", daemon=True
        )
        thread.start()
        return thread

    def _index(self, names: list[SegmentName]) -> None:
        for name in names:
            if self._closing.is_set():
                return
            index = self._recovery.index(name)
            if index:
                with self._commit_lock:
                    self._writer.sealed[name] = index
        self._writer.settled = True
        self.settled.set()


def _lock(places: Places) -> Callable[[], None]:
    """A lock that cannot be made is no reason not to start; one that is held is."""
    try:
        return places.disk.lock(places.lock)
    except BlockingIOError:
        raise JournalInUseError(places.directory) from None
    except OSError:
        return lambda: None
