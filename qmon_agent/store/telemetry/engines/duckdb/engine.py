"""DuckDB as a telemetry engine: the hot file, the segments, and what moves between them."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TextIO, TypeVar

from qmon_agent.domain.errors import QueryError
from qmon_agent.domain.retention import Hold
from qmon_agent.journal import Position
from qmon_agent.store.telemetry.answers import Erased, QueryResult
from qmon_agent.store.telemetry.decoding import Batch
from qmon_agent.store.telemetry.engine import Kept, Question
from qmon_agent.store.telemetry.engines.locking import LOCK, locked
from qmon_agent.store.telemetry.ledger import Ledger
from qmon_agent.store.telemetry.manifest import said_of
from qmon_agent.store.telemetry.options import TelemetryOptions
from qmon_agent.store.telemetry.schema import BY_NAME
from qmon_agent.store.telemetry.watch import Watch

from . import asking, recovery, relisting, streaming, views
from .blaming import UnreadableError
from .export import FOLDER
from .hot import count_rows
from .joining import Joiner
from .moving import Mover, sweep, sweep_unfinished
from .relisting import Listing
from .rolling import Roller
from .scrubbing import Scrubber

T = TypeVar("T")

NS = 10**9
OLD_NS = 3_600 * NS
ROLLS_FIRST_NS = 3_600 * NS
CLOCK_SET_S = 60.0
TRIES = 3
"""So often a question is asked, of which damaged segments let each but the last fail."""
BROKEN_OFF = "a damaged segment was found in the middle of the answer, and set aside: ask again"
AT_MOST = 4
"""So many times as many rows as are exported at once may be in the hot file before they are."""


class DuckEngine:
    """Keeps signals in DuckDB; the contract is `engine.Engine`."""

    def __init__(
        self, options: TelemetryOptions, lock: TextIO, *, listing: Listing, room: Path
    ) -> None:
        self._options = options
        self._is_borrowed = room != Path(options.directory)
        self._directory = Path(options.directory)
        self._lock = lock
        self._counts: Counter[str] = Counter(listing.counts)
        self._ledger = Ledger(self._directory, listing.manifest)
        self._mover = Mover(options, self._ledger, self._counts)
        self._joiner = Joiner(options, self._ledger, self._counts)
        self._scrubber = Scrubber(options, self._ledger, self._counts)
        self._roller = Roller(options, self._ledger, self._counts)
        self._opened = time.time_ns()
        self._hot, self._connection = recovery.open_hot(
            options, listing.manifest, room=room, counts=self._counts
        )
        self._live_rows = self._count_live()

    @classmethod
    def open(cls, options: TelemetryOptions) -> DuckEngine:
        """Open the directory for writing, alone; raises StoreError while somebody else has it."""
        directory = Path(options.directory)
        (directory / FOLDER).mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = locked(directory / LOCK, wait_s=options.lock_wait_s)
        try:
            listing = relisting.open_listing(options)
            sweep(directory, listing.manifest)
            sweep_unfinished(directory)
            return cls(options, lock, listing=listing, room=directory)
        except BaseException:
            lock.close()
            raise

    @classmethod
    def borrow(cls, options: TelemetryOptions, room: Path) -> DuckEngine:
        """Read a store that is somebody else's: what would be written goes into `room`.

        Neither `tend` nor anything else may change the segments: they are read where they are.
        """
        directory = Path(options.directory)
        listing = relisting.read_listing(options)
        for path in directory.glob(f"{recovery.FILE}*"):
            shutil.copy2(path, room / path.name)
        return cls(options, locked(room / LOCK, wait_s=0), listing=listing, room=room)

    @property
    def stored(self) -> Position:
        return self._hot.live.reached

    @property
    def taken(self) -> Position:
        return self.stored

    @property
    def trouble(self) -> str:
        return ""

    @property
    def exported(self) -> Position:
        return self._ledger.manifest.exported

    def append(self, batch: Batch, place: Position) -> None:
        self._hot.append(batch, place)
        self._live_rows += batch.rows

    def ready(self) -> bool:
        """Not while far too much waits for a join or a rollup to end, before it is exported."""
        much = self._live_rows >= AT_MOST * self._options.exporting.rows
        return not (much and self._is_beside_busy() and not self._hot.sealed)

    def tend(self, *, now: int, everything: bool = False) -> None:
        if self._mover.busy():
            return
        # Looked at after that: an export that ends just now is not to be begun once more.
        for generation in self._hot.sealed:
            if generation.number <= self._ledger.manifest.generation:
                self._hot.drop(generation)
        due = not self._hot.sealed and self._is_due(now, everything=everything)
        if due and self._is_beside_busy() and not everything:
            return  # one after the other: both together take more memory than was allowed
        if due:
            self._hot.seal()
            self._live_rows = 0
        if self._hot.sealed:
            self._mover.begin(self._connection, self._hot.sealed[0], now=now, at_once=everything)
        else:
            self._tidy(now)

    def _tidy(self, now: int) -> None:
        """One thing at a time, beside the writing: each has its own share of the processor."""
        if not self._rolls_first(now):
            self._mover.expire(self._connection, now=now)
        if not self._joiner.busy():
            self._roller.tend(now=now)
        if not self._roller.busy():
            self._joiner.tend(now=now)
            self._scrubber.tend()

    def _rolls_first(self, now: int) -> bool:
        """Whether what was stored before an upgrade is rolled up still: nothing is given up then.

        But not for ever: the disk is bounded, too.
        """
        if now > self._opened + ROLLS_FIRST_NS:
            return False
        return any(each.written < now - OLD_NS for each in self._roller.waiting(now))

    def busy(self) -> bool:
        return self._mover.busy()

    def _is_beside_busy(self) -> bool:
        return self._joiner.busy() or self._roller.busy()

    def hold(self, holds: Sequence[Hold]) -> None:
        self._mover.hold(tuple(holds))

    def erase(self, user: str) -> None:
        self._mover.erase(self._connection, user)

    def erased(self) -> Erased | None:
        return self._mover.erased

    def discard(self) -> None:
        self._stop_beside()
        self._connection.close()
        recovery.discard(self._directory)

    def ask(self, question: Question, watch: Watch) -> QueryResult:
        return self._without_damaged(lambda: self._answer(question, watch))

    def look(self, files: Collection[str]) -> tuple[str, ...]:
        """Read these segments again now; which of them were set aside."""
        return self._scrubber.look(files)

    def _without_damaged(
        self, asked: Callable[[], T], *, has_gone: Callable[[], bool] = lambda: False
    ) -> T:
        """Where it fails at a damaged segment, that is set aside, and it is asked once more."""
        for left in reversed(range(TRIES)):
            before = self._ledger.changes
            try:
                return asked()
            except UnreadableError as error:
                is_at_an_end = self._is_borrowed or not left
                if is_at_an_end or not self._is_other_now(error, before):
                    raise
                if has_gone():
                    raise QueryError(f"{BROKEN_OFF} ({error})") from error
        raise AssertionError("the last try returns or raises")

    def _is_other_now(self, error: UnreadableError, before: int) -> bool:
        """Whether the list is another one, after a look at what may be damaged."""
        self._scrubber.suspect(error.tables, said=str(error), is_sure=error.is_sure)
        return self._ledger.changes > before

    def _answer(self, question: Question, watch: Watch) -> QueryResult:
        with self._mover.readers.reading(), self._connection.cursor() as own:
            return asking.answer(
                own,
                question,
                manifest=lambda: self._ledger.manifest,
                directory=self._directory,
                watch=watch,
            )

    def stream(
        self,
        question: Question,
        watch: Watch,
        *,
        form: str,
        put: Callable[[bytes, int], None],
        left_out: Callable[[Sequence[str]], None],
    ) -> int:
        held = streaming.Held(put, left_out)

        def streamed() -> int:
            held.begin_anew()
            rows = self._stream(question, watch, into=streaming.Into(form, held))
            held.let_go()
            return rows

        return self._without_damaged(streamed, has_gone=lambda: held.has_gone)

    def _stream(self, question: Question, watch: Watch, *, into: streaming.Into) -> int:
        with self._mover.readers.reading(), self._connection.cursor() as own:
            return streaming.stream(
                own,
                question,
                into=into,
                manifest=lambda: self._ledger.manifest,
                directory=self._directory,
                watch=watch,
            )

    def begin_anew(self) -> None:
        while self.exported != self.stored:
            self.tend(now=time.time_ns(), everything=True)
            self._mover.wait()
        self._mover.forget_place()

    def kept(self) -> Kept:
        with self._connection.cursor() as own:
            views.begin_reading(own)
            manifest = self._ledger.manifest
            rows: Counter[str] = Counter()
            hot = views.hot(own, manifest)
            for generation in hot:
                rows.update(count_rows(own, generation))
        for segment in manifest.segments:
            if segment.table in BY_NAME:  # what is rolled up is counted where it is raw
                rows[segment.table] += segment.rows
        return Kept(
            rows=rows,
            reached=hot[-1].reached,
            forgotten=manifest.forgotten,
            segments=len(manifest.segments),
            segment_bytes=sum(segment.bytes for segment in manifest.segments),
            damaged=tuple(map(said_of, manifest.damaged)),
            damaged_rows=manifest.damaged_rows,
            hot_bytes=sum(path.stat().st_size for path in self._directory.glob("hot.duckdb*")),
        )

    def counts(self) -> Mapping[str, int]:
        changes = {"list_changes": self._ledger.changes}
        return {**self._counts, **self._hot.counts(), **changes}

    def close(self) -> None:
        self._stop_beside()
        self._connection.close()
        self._lock.close()

    def _stop_beside(self) -> None:
        """Nobody changes the list any more when this returns."""
        for each in (self._joiner, self._scrubber, self._roller):
            each.close()
        self._mover.wait()

    def _is_due(self, now: int, *, everything: bool) -> bool:
        if not self._live_rows:
            return everything and self.stored != self.exported
        age_s = (now - self._hot.live.opened) / NS
        limits = self._options.exporting
        is_old = not -CLOCK_SET_S < age_s < limits.age_s  # or opened before the clock was set back
        return everything or self._live_rows >= limits.rows or is_old

    def _count_live(self) -> int:
        return sum(count_rows(self._connection, self._hot.live).values())
