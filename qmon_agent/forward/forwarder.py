"""The forwarder: takes what is committed to one sink, in order, until each batch has arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Protocol, TypeVar

import msgspec

from qmon_agent.domain.pulses import Pulse
from qmon_agent.journal import PATIENCE_S, START, Cursors, JournalReader, Position, Record
from qmon_agent.vitals import Vitals

from .batch import Batch, batch_of
from .pace import CLOSED, Pace, pause_s
from .places import hold_back, sending_cursor, sink_cursor, under_way
from .refusals import Refusals
from .sinks import Delivery, Remembering, Sink

_DISK_PAUSE_S = 1.0
# Of a sink that gives each of many requests its own time.
_LONGEST_TURN_S = 600.0
_MEMORIES = "sinks"  # the folder beside the journal where sinks keep what they have to know
_TROUBLE_OF_THE_SYSTEM = (OSError, ImportError, MemoryError)

T = TypeVar("T")


class Journal(Protocol):
    """What a forwarder needs of the journal; `cursors` are used from the sink's thread."""

    @property
    def cursors(self) -> Cursors: ...
    @property
    def committed(self) -> Position: ...


class Supply(msgspec.Struct, frozen=True, kw_only=True):
    """What every forwarder of an agent is given."""

    journal: Journal
    directory: Path
    """Where the journal is, for readers of it."""
    bury: Callable[[bytes, str], Awaitable[None]]
    """Makes a frame a dead letter, with the reason."""
    vitals: Vitals


class Forwarder:
    """One sink's task, thread and durable place; a slow or dead sink holds up nobody but itself.

    Two cursors: `sink.NAME` stands behind what has arrived, `sending.NAME` behind the batch that is
    on its way. So a batch that is sent again after a crash is the same batch, with the same id.
    """

    def __init__(
        self,
        name: str,
        sink: Sink,
        *,
        supply: Supply,
        pace: Pace | None = None,
        routes: frozenset[str] = frozenset(),
    ) -> None:
        """`routes`: it gets what is marked with one of them; none: all that is not kept back."""
        self.name = name
        self.pulse = Pulse(_LONGEST_TURN_S)
        self._routes = routes
        self._sink = sink
        # A sink may want its batches larger, but not to be tried more often.
        self._pace = pace or getattr(sink, "pace", None) or Pace()
        self._supply = supply
        self._journal = supply.journal
        self._vitals = supply.vitals
        self._position = hold_back(supply.journal.cursors, name)
        if isinstance(sink, Remembering):
            # Who has sent nothing yet remembers nothing: a file that is there is another sink's.
            is_new = self._position == START
            sink.remember_at(supply.directory.with_name(_MEMORIES) / f"{name}.db", is_new=is_new)
        self._raised = 0
        self._breaker = CLOSED
        self._error = ""
        self._waits_for = ""
        self._refusals = Refusals()
        self._chance = Random()
        self._moved = asyncio.Event()
        self._settled = asyncio.Event()
        self._hurry = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"qmon-sink-{name}")

    @property
    def lag(self) -> int:
        """Records committed and not delivered yet."""
        return max(0, self._journal.committed.record_id - self._position.record_id)

    def committed(self) -> None:
        """There is more; on the loop."""
        self._moved.set()

    async def run(self) -> None:
        """Forwards until cancelled. After an exception it may be run again."""
        self._position = hold_back(self._journal.cursors, self.name)
        reader = JournalReader(self._supply.directory, self._position, patience_s=PATIENCE_S)
        try:
            while True:
                if records := await self._next(reader):
                    await self._forward(records)
        finally:
            # On the sink's thread: a read may be under way there still.
            self._thread.submit(reader.close)

    async def drain(self) -> None:
        """Returns when everything committed has arrived, or the sink does not take it now."""
        self._hurry.set()
        while self.lag and not self._breaker.failures and not self._waits_for:
            self._settled.clear()
            await self._settled.wait()

    def close(self) -> None:
        """Behind the last `run`: waits for nothing, an attempt under way ends by itself."""
        self._thread.submit(self._sink.close)
        self._thread.shutdown(wait=False)

    def describe(self) -> dict[str, Any]:
        counted = partial(self._vitals.count, sink=self.name)
        return {
            **_said_by(self._sink),
            **({"trouble": words} if (words := self._refusals.words) else {}),
            "lag": self.lag,
            "sent": counted("sink_sent"),
            "rejected": counted("sink_rejected"),
            "passed_over": counted("sink_passed_over"),
            "batches": counted("sink_batches"),
            "retries": counted("sink_retries"),
            "dead_batches": counted("sink_dead_batches"),
            "breaker": self._breaker.state,
            "error": self._error,
        }

    @property
    def problem(self) -> str:
        """What somebody should know; nothing while the sink takes what it is given."""
        if self._breaker.state != "closed":
            return f"{self.lag} records wait: {self._error}"
        if self._waits_for:
            return f"{self.lag} records wait: {self._waits_for}"
        return self._refusals.words if self._refusals.is_much else ""

    async def _next(self, reader: JournalReader) -> list[Record]:
        """The batch that was on its way, or else what has come; a full one is not waited for."""
        until = under_way(self._journal.cursors, self.name, self._position)
        is_again = until is not None
        if until is None:
            await self._wait_for_more()
            until = self._journal.committed.record_id
        records = await self._read(reader, until, is_whole=is_again)
        missed = until - self._position.record_id if not records else _gap(self._position, records)
        if missed:
            # Trimmed or damaged meanwhile: the journal has counted it, we go on behind it.
            self._vitals.add("sink_records_missed", missed, sink=self.name)
        if not records:
            self._position = Position(until, reader.position.segment, reader.position.offset)
            self._settled.set()
        return records

    async def _read(self, reader: JournalReader, until: int, *, is_whole: bool) -> list[Record]:
        """A batch; `is_whole`: of what cannot be read now nothing is left for the next one.

        A disk that does not read is asked again, as long as the reader takes that to be worth it.
        """
        records: list[Record] = []
        while True:
            room = self._pace.batch_bytes - sum(max(1, len(one.payload)) for one in records)
            try:
                records += await self._on_thread(partial(reader.read, until, room))
                waits_for = "the disk does not read the journal" if reader.waits else ""
            except OSError as problem:
                waits_for = f"the journal cannot be read: {problem.strerror}"
            if not waits_for or (records and not is_whole):
                self._waits_for = ""
                return records
            self._waits_for = waits_for
            self._vitals.add("sink_waits", sink=self.name)
            self._settled.set()
            await asyncio.sleep(_DISK_PAUSE_S)

    async def _wait_for_more(self) -> None:
        while not self.lag:
            self._moved.clear()
            await self._moved.wait()
        if self._is_full():
            return
        try:
            async with asyncio.timeout(self._pace.wait_s):
                await self._hurry.wait()
        except TimeoutError:
            pass

    def _is_full(self) -> bool:
        """Whether a whole batch is waiting, as far as can be said without reading it."""
        committed, here = self._journal.committed, self._position
        behind = committed.offset - here.offset
        return committed.segment != here.segment or behind >= self._pace.batch_bytes

    async def _forward(self, records: list[Record]) -> None:
        behind = records[-1].position
        await self._save(sending_cursor(self.name), behind)
        batch = await self._on_thread(partial(batch_of, records, self._routes))
        if batch.frames:
            delivery = await self._deliver(batch)
            if delivery.outcome == "refused":
                await self._give_up(batch.payloads, delivery)
            self._count(batch, delivery)
        await self._save(sink_cursor(self.name), behind)
        self._position = behind
        self._settled.set()

    async def _save(self, cursor: str, position: Position) -> None:
        """Waits for a disk that is full: going on without would send the same again and again."""
        while True:
            try:
                await self._on_thread(partial(self._journal.cursors.save, cursor, position))
            except OSError as problem:
                self._waits_for = f"its place cannot be written down: {problem.strerror}"
                self._vitals.add("sink_cursor_failures", sink=self.name)
                await asyncio.sleep(_DISK_PAUSE_S)
            else:
                self._waits_for = ""
                return

    async def _deliver(self, batch: Batch) -> Delivery:
        """Tries until it is delivered or refused."""
        while True:
            self._breaker = self._breaker.tried()
            delivery = await self._attempt(batch)
            if delivery.outcome != "retry":
                self._breaker, self._error = CLOSED, delivery.detail
                return delivery
            self._breaker, self._error = self._breaker.failed(self._pace), delivery.detail
            self._vitals.add("sink_retries", sink=self.name)
            self._settled.set()
            await asyncio.sleep(
                pause_s(self._breaker, delivery.retry_after_s, pace=self._pace, chance=self._chance)
            )

    async def _attempt(self, batch: Batch) -> Delivery:
        try:
            delivery = await self._on_thread(partial(self._sink.send, batch))
        except Exception as error:  # noqa: BLE001 - a sink may raise anything; the batch waits
            return self._raising(error, batch)
        self._raised = 0
        return delivery

    def _raising(self, error: Exception, batch: Batch) -> Delivery:
        """It may pass; but one batch that no sink can write must not stand there for ever."""
        detail = f"{type(error).__name__}: {error}"
        self._raised += not isinstance(error, _TROUBLE_OF_THE_SYSTEM)
        if self._raised < self._pace.failures:
            return Delivery(outcome="retry", detail=detail)
        self._raised = 0
        return Delivery(outcome="refused", detail=detail, rejected=batch.signals)

    async def _give_up(self, payloads: Sequence[bytes], delivery: Delivery) -> None:
        self._vitals.add("sink_dead_batches", sink=self.name)
        for payload in payloads:
            await self._supply.bury(payload, f"sink {self.name}: {delivery.detail}")

    def _count(self, batch: Batch, delivery: Delivery) -> None:
        self._vitals.add("sink_batches", sink=self.name)
        sent = batch.signals - delivery.rejected - delivery.passed_over
        self._vitals.add("sink_sent", sent, sink=self.name)
        self._vitals.add("sink_rejected", delivery.rejected, sink=self.name)
        self._vitals.add("sink_passed_over", delivery.passed_over, sink=self.name)
        self._refusals.tell(taken=sent, refused=delivery.rejected, why=delivery.detail)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        with self.pulse:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _gap(position: Position, records: list[Record]) -> int:
    """How many records between two are gone; before the first of all, none are known."""
    return records[0].record_id - position.record_id - 1 if position.record_id else 0


def _said_by(sink: Sink) -> dict[str, Any]:
    try:
        return dict(sink.describe())
    except Exception as error:  # noqa: BLE001 - the status is told in any case
        return {"trouble": f"{type(error).__name__}: {error}"}
