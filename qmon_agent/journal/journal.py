"""The agent's durable log: what `commit` has answered for survives every kill and power cut."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from qmon_agent.domain.clock import Clock, SystemClock

from .counts import Counts
from .cursors import Cursors
from .deadletters import DeadLetter, DeadLetters
from .dedup import DedupIndex
from .disk import Disk, OsDisk
from .errors import JournalFullError
from .opening import Opening, locked
from .options import JournalOptions
from .places import Places
from .records import HEAD_BYTES, START, Entry, Position, Record, check
from .retention import Trimmed
from .status import JournalStatus
from .writer import Writer

_PAUSE_S = 0.25
_TROUBLE = {errno.ENOSPC: "disk_full", errno.EDQUOT: "disk_full"}


class Journal:
    """One writer's journal in one directory. Safe from any thread.

    `append`, `seen` and `status` never wait for the disk; `commit`, `trim` and `cursors.save` do,
    and belong on a thread of their own.

    While `is_settled` is False, old segments whose sidecars were damaged are still being read in
    the background, and a False from `seen` is not final. `GroupCommitter` keeps what arrives in
    that time in memory, unacknowledged, instead of storing it twice.
    """

    def __init__(
        self, directory: Path, *, options: JournalOptions, disk: Disk, clock: Clock
    ) -> None:
        self.options = options
        self._clock = clock
        self._counts = Counts()
        self._places = Places(disk, directory, counts=self._counts)
        self._places.prepare()
        self._unlock = locked(self._places)
        self._dedup = DedupIndex(options)
        self.cursors = Cursors(self._places, counts=self._counts)
        self._dead = DeadLetters(self._places, options=options, counts=self._counts)
        self._gate = threading.Lock()
        self._commit_lock = threading.Lock()
        self._pending: list[Entry] = []
        self._pending_bytes = 0
        self._next_id = 1
        self._committed = START
        self._trouble = ""
        self._is_closed = False
        self._opening = Opening(
            self._places,
            options=options,
            counts=self._counts,
            dedup=self._dedup,
            commit_lock=self._commit_lock,
        )
        self._writer = self._opened()

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
        """Whether it is stored already, that is durable."""
        return (process, sequence) in self._dedup

    @property
    def is_settled(self) -> bool:
        return self._opening.settled.is_set()

    def wait_until_settled(self, timeout: float) -> bool:
        """Whether `seen` can be believed by then."""
        with self._gate:
            self._awake()
        return self._opening.settled.wait(timeout)

    def append(self, payload: bytes, *, process: bytes, sequence: int) -> int:
        """Take a record into memory and answer its id; raises JournalFullError at the bound."""
        check(payload, process, sequence)
        size = HEAD_BYTES + len(payload)
        with self._gate:
            over = self._pending_bytes + size > self.options.memory_bytes
            if (over and self._pending) or not self._awake():
                raise JournalFullError("closing" if self._is_closed else self._trouble or "busy")
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
            if not batch or not self._writer or self._is_closed:
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

    def dead_letters_found(self) -> Mapping[str, int]:
        """How many dead letters of each sort an earlier agent has left."""
        return self._dead.found()

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        return self._dead.list(limit)

    def forget_dead_letters(self, word: bytes) -> int:
        """Remove the dead letters in which these bytes stand; how many."""
        return self._dead.forget(word)

    def seal(self) -> Position:
        """End the segment that is being written; answers up to where the sealed ones reach."""
        with self._commit_lock:
            if self._writer and not self._is_closed:
                self._writer.seal()
            return self._committed

    def trim(self, *, seal: bool = False) -> Trimmed:
        """Delete whole segments which every cursor has passed, or which are over a bound.

        `seal`: the one that is being written, too, where all in it has been read.
        """
        with self._commit_lock, self._gate:
            writer = self._awake()
            if not writer:
                return Trimmed()
        with self._commit_lock:
            if seal:
                writer.seal_passed(self.cursors.all())
            return writer.trim(self.cursors.all(), now=self._clock.now())

    def status(self) -> JournalStatus:
        writer = self._writer
        segments, size = writer.sizes() if writer else (0, 0)
        return JournalStatus(
            bytes=size,
            segments=segments,
            oldest=writer.oldest() if writer else START,
            committed=self._committed,
            pending_records=len(self._pending),
            pending_bytes=self._pending_bytes,
            free_bytes=writer.free() if writer else -1,
            trouble=self._trouble,
            is_settled=self.is_settled,
            processes=len(self._dedup),
            counts=self.vitals,
            lost=dict(writer.lost) if writer else {},
        )

    @property
    def vitals(self) -> dict[str, int]:
        """All counters; they grow only."""
        return {**self._counts.read(), "dedup_forgotten": self._dedup.forgotten}

    def close(self) -> None:
        """Commit what the disk takes and let go. What it does not take was never acknowledged."""
        self._opening.stop()
        if not self._is_closed:
            self.commit()
        self._let_go()

    def halt(self) -> None:
        """Let go without a word to the disk, as a kill would; what is pending is gone."""
        self._opening.stop()
        self._let_go()

    def _let_go(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._writer:
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

    def _awake(self) -> Writer | None:
        """The writer; None while the directory cannot be listed, which is tried again here."""
        if self._is_closed:
            return None
        if self._writer is None:
            self._places.prepare()
            self._writer = self._open()
        return self._writer

    def _opened(self) -> Writer | None:
        """As soon as all of it can be read, or patience ends."""
        until = time.monotonic() + self.options.patience_s
        while time.monotonic() < until:
            if writer := self._open(is_patient=True):
                return writer
            time.sleep(_PAUSE_S)
            self._places.prepare()
        return self._open()

    def _open(self, *, is_patient: bool = False) -> Writer | None:
        writer = None
        try:
            writer, next_id = self._opening.writer(is_patient=is_patient)
            self.cursors.restore(writer.oldest(), is_patient=is_patient)
        except OSError:
            self._counts.add("failed_starts")
            self._trouble = "disk_error"
            if writer:
                writer.close()
            return None
        self._opening.finish()
        self._trouble = ""
        self._committed = writer.end()
        # A reader may have been further than what is left: its ids are not used again.
        known = [place.record_id for place in self.cursors.all().values()]
        self._next_id = max([next_id, *(last + 1 for last in known)])
        return writer
