"""ClickHouse as a telemetry engine: rows go out in named blocks, questions go to the server."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import msgspec

from qmon_agent.domain.errors import QueryError, StoreError
from qmon_agent.domain.retention import Bound, Hold, Policy
from qmon_agent.journal import Position
from qmon_agent.store.telemetry.answers import Erased, QueryResult
from qmon_agent.store.telemetry.decoding import Batch
from qmon_agent.store.telemetry.engine import Kept, Question
from qmon_agent.store.telemetry.engines.locking import LOCK, locked
from qmon_agent.store.telemetry.options import TelemetryOptions
from qmon_agent.store.telemetry.speakers import Roll
from qmon_agent.store.telemetry.watch import Watch

from . import asking, erasing
from .address import address_of
from .blocks import blocks_of
from .bounding import Bytes, stop
from .ddl import LONGEST_S, Layout
from .gone import GoneBook
from .outgoing import FOLDER, Outgoing
from .server import AwayError, Server

WAITS_S = (0.2, 1.0, 5.0)
"""Before a server that is away is tried again."""
NS = 10**9
DAY_NS = 86_400 * NS
LOOK_NS = 600 * NS
"""How often it is looked whether something has too many bytes."""


class ClickEngine:
    """Keeps signals in ClickHouse; the contract is `engine.Engine`."""

    def __init__(self, options: TelemetryOptions, lock: TextIO) -> None:
        self._lock = lock
        self._policy = options.policy
        self._address = address_of(options.address)
        self._server = Server(self._address, options.password, self._layout(()))
        self._outgoing = Outgoing(Path(options.directory), sender=uuid.uuid4().hex[:16])
        self._counts: Counter[str] = Counter(damaged_parcels=self._outgoing.damaged)
        self._book = GoneBook(Path(options.directory) / FOLDER)
        self._known: Kept | None = None
        self._roll, self._roll_of = Roll({}, self._counts), 0
        self._failures, self._not_before = 0, 0.0
        self.trouble = ""
        self._holds: tuple[Hold, ...] = ()
        self._erasing: threading.Thread | None = None
        self._erased: Erased | None = None
        self._bytes, self._looked = Bytes(options.policy), 0
        self._bounding: threading.Thread | None = None
        self._giving_up = threading.Lock()
        with suppress(AwayError):
            self._server.make_ready()

    @classmethod
    def open(cls, options: TelemetryOptions) -> ClickEngine:
        """Open for writing, alone in the directory; a server that is away is no obstacle."""
        directory = Path(options.directory)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = locked(directory / LOCK, wait_s=options.lock_wait_s)
        try:
            return cls(options, lock)
        except BaseException:
            lock.close()
            raise

    @property
    def stored(self) -> Position:
        return self._outgoing.mark.stored

    @property
    def taken(self) -> Position:
        return self._outgoing.taken

    @property
    def exported(self) -> Position:
        return self.stored

    def append(self, batch: Batch, place: Position) -> None:
        """Write the blocks to the disk, and send them; if that fails they are sent later."""
        news = self._roll.news(batch.speakers)
        blocks = blocks_of(batch, self._roll.rows(news) if news else None)
        self._outgoing.put(blocks, place)
        self._roll.write(news)
        self._send()

    def ready(self) -> bool:
        self._send()
        return not self._outgoing.waiting

    def tend(self, *, now: int, everything: bool = False) -> None:  # noqa: ARG002 - nothing to export
        """Who speaks is said anew each day, for what was said before may be kept no longer."""
        if now // DAY_NS != self._roll_of:
            self._roll, self._roll_of = Roll({}, self._counts), now // DAY_NS
        if self._bytes.tables and not 0 <= now - self._looked < LOOK_NS and not self.busy():
            self._looked = now
            self._bounding = threading.Thread(target=self._bound, args=(now,), daemon=True)
            self._bounding.start()

    def busy(self) -> bool:
        return any(each is not None and each.is_alive() for each in (self._erasing, self._bounding))

    def hold(self, holds: Sequence[Hold]) -> None:
        """Of a kind of which something is held nothing expires: the server minds the time alone.

        When this returns nothing that is held is on its way out for its bytes either.
        """
        with self._giving_up:
            self._holds = tuple(holds)
            self._server.lay_out(self._layout(holds))
            with suppress(AwayError):
                self._server.make_ready()
                with self._server.asked() as client:
                    for table in self._bytes.tables:
                        client.command(stop(table, self._server.layout))

    def stream(
        self,
        question: Question,
        watch: Watch,
        *,
        form: str,
        put: Callable[[bytes, int], None],
        left_out: Callable[[Sequence[str]], None],
    ) -> int:
        """Never: its own client does it better."""
        del question, watch, form, put, left_out
        raise QueryError("no export out of ClickHouse: ask it by `clickhouse-client --format`")

    def erase(self, user: str) -> None:
        """In a thread: the server may take its time, and blocks go out meanwhile."""
        self._erased = None
        self._erasing = threading.Thread(target=self._erase, args=(user,), daemon=True)
        self._erasing.start()

    def erased(self) -> Erased | None:
        return self._erased

    def discard(self) -> None:
        self.close()

    def ask(self, question: Question, watch: Watch) -> QueryResult:
        return asking.answer(self._server, question, watch)

    def look(self, files: Collection[str]) -> tuple[str, ...]:
        """None: the server looks after its own files."""
        del files
        return ()

    def begin_anew(self) -> None:
        """A parcel of nothing, behind all that waits: when it arrives the place is forgotten."""
        self._outgoing.put((), Position())
        self._send()

    def kept(self) -> Kept:
        """While the server is away, or somebody's rows are being taken out, as it was before."""
        gone, kept = self._book.gone, self._counted()
        if kept.is_counted and gone is self._book.gone and not gone.going:
            self._known = kept
            return kept
        return msgspec.structs.replace(self._known or kept, is_counted=False)

    def _counted(self) -> Kept:
        """The place first: rows that come meanwhile may be among those that are counted."""
        rows: Mapping[str, int] | None = None
        gone, reached = self._book.gone, self.stored
        with suppress(AwayError):
            rows = self._server.rows()
        return Kept(
            rows=rows or {},
            reached=reached,
            forgotten=gone.forgotten,
            segments=0,
            segment_bytes=0,
            hot_bytes=0,
            damaged_rows=gone.damaged,
            is_counted=rows is not None,
        )

    def counts(self) -> Mapping[str, int]:
        return {**self._counts, "waiting_parcels": len(self._outgoing.waiting)}

    def close(self) -> None:
        self._server.close()
        self._lock.close()

    def _layout(self, holds: Sequence[Hold]) -> Layout:
        return Layout(
            database=self._address.database,
            cluster=self._address.cluster,
            is_alone=bool(self._address.folder),
            keep_s=ages_of(self._policy, holds),
            apart_s=ages_apart_of(self._policy, holds),
        )

    def _bound(self, now: int) -> None:
        try:
            with self._giving_up:
                gone = self._bytes.apply(self._server, self._holds, now=now)
        except StoreError:
            self._counts["bound_failures"] += 1
        else:
            self._counts["held_segments"] = gone.pop("held_segments")
            self._counts.update(gone)

    def _erase(self, user: str) -> None:
        try:
            self._erased = erasing.erase(self._server, user, self._holds, book=self._book)
        except (StoreError, OSError):
            self._counts["erase_failures"] += 1

    def _send(self) -> None:
        """What waits, in its order, until all of it has arrived or the server is away."""
        if not self._outgoing.waiting or time.monotonic() < self._not_before:
            return
        try:
            while self._outgoing.waiting:
                self._send_first()
        except AwayError as error:
            wait_s = WAITS_S[min(self._failures, len(WAITS_S) - 1)]
            self._not_before = time.monotonic() + wait_s
            self._failures += 1
            self._counts["server_failures"] += 1
            self.trouble = f"ClickHouse takes nothing: {error}"
        else:
            self._failures, self._not_before, self.trouble = 0, 0.0, ""

    def _send_first(self) -> None:
        parcel = self._outgoing.waiting[0]
        for block in parcel.blocks:
            self._server.send(block.table, block.data, name=self._outgoing.name_of(parcel, block))
            self._counts["blocks"] += 1
        self._outgoing.arrived()


def ages_of(policy: Policy, holds: Sequence[Hold]) -> dict[str, float]:
    """Kind → seconds it is kept, of kinds that are not kept for ever and not held."""
    return _ages(policy.kinds, holds)


def ages_apart_of(policy: Policy, holds: Sequence[Hold]) -> dict[str, dict[str, float]]:
    """Kind → service → the same, where a service has an age of its own."""
    apart: dict[str, dict[str, float]] = {}
    for service, kinds in policy.services.items():
        for kind, age_s in _ages(kinds, holds).items():
            apart.setdefault(kind, {})[service] = age_s
    return apart


def _ages(bounds: Mapping[str, Bound], holds: Sequence[Hold]) -> dict[str, float]:
    return {
        kind: min(bound.age_ns / NS, LONGEST_S)
        for kind, bound in bounds.items()
        if bound.age_ns is not None and not any(hold.covers(kind) for hold in holds)
    }


class ReadingEngine(ClickEngine):
    """Answers questions for an agent that does not run; what waits is left to it."""

    @property
    def taken(self) -> Position:
        return Position(record_id=(1 << 63) - 1)

    @property
    def stored(self) -> Position:
        return self.taken
