"""The telemetry store as the main process sees it: a worker it feeds, asks, and restarts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress

import msgspec

from qmon_agent.domain.errors import QueryError, StoreError
from qmon_agent.domain.retention import Hold
from qmon_agent.journal import Position

from . import link
from .announcing import Announcer
from .answers import Erased, Freshness, QueryResult, StateTable, StoreStatus
from .layouts import ROWS, Layout
from .listeners import Counters, Listeners
from .lives import Lives
from .manifest import Within
from .options import TelemetryOptions, dialect_of
from .process import WorkerProcess
from .remembering import Remembered

HEALTHY_S = 10.0
STOP_S = 2.0
PATIENCE_S = 2.0
STATUS_S = 2.0
FRESH_S = 0.25
NO_LIMIT = (1 << 62) - 1
SILENCE_S = 300.0  # of a worker that has something to store

_Asked = link.Ask | link.Inspect | link.Export | link.Look | link.Holds | link.Forget


class TelemetryStore:
    """Feeds one worker process and asks it questions; restarts it when it dies."""

    def __init__(
        self,
        options: TelemetryOptions,
        *,
        listeners: Listeners | None = None,
        vitals: Counters | None = None,
    ) -> None:
        self._options = options
        self._listeners = listeners or Listeners()
        self._vitals = vitals
        self._worker: WorkerProcess | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._announcer = Announcer(self._announce)
        self._journal_end: Position | None = None
        self._told: StoreStatus | None = None
        self._before = StoreStatus(state="starting")
        self._progress = link.Progress(stored=Position(), exported=Position(), counts={})
        self._moved = asyncio.Event()
        self._spawned = asyncio.Event()
        self._waiting: dict[int, asyncio.Future[link.Answer]] = {}
        self._remembered = Remembered()
        self._numbers = 0
        self._holds: tuple[Hold, ...] = ()
        self._streams: dict[int, asyncio.Queue[link.Piece | BaseException | None]] = {}
        self._lives = Lives(options.restart_waits_s)
        self._heard_at = 0.0
        self._state = "starting"
        self._ended = self._anew = ""

    async def start(self) -> None:
        """Start the worker; returns at once, the worker recovers in its own time."""
        self._state = "starting"
        self._keeper = asyncio.create_task(self._keep_alive())

    async def stop(self) -> None:
        """Give the worker a moment to store what is committed, then end it.

        What it does not get to waits in the journal: nobody who stops an agent waits for that.
        """
        self._state = "stopped"
        worker = self._worker
        if worker is not None:
            self._announcer.announce()
            worker.say(link.Stop())
            await worker.gone(STOP_S)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._announcer.stop()
        self._give_up_waiting()

    def committed(self, position: Position) -> None:
        """Say how far the journal may be read; cheap enough for every group commit.

        The first time, as the agent starts, it tells where the journal ends.
        """
        self._journal_end = self._journal_end or position
        self._announcer.move(position)

    async def query(
        self,
        sql: str,
        *,
        limit: int | None = None,
        timeout_s: float | None = None,
        state_tables: Mapping[str, StateTable] | None = None,
        within: Within | None = None,
        as_json: Layout | None = None,
    ) -> QueryResult:
        """Answer one read-only statement, or raise QueryError (its fault) or StoreError (ours)."""
        question = link.Ask(
            number=self._number(),
            sql=sql,
            limit=self._options.query_rows if limit is None else limit,
            timeout_s=self._options.query_timeout_s if timeout_s is None else timeout_s,
            state=state_tables or {},
            within=within,
            as_json=as_json,
        )
        committed = self._announcer.committed.record_id
        answer = await self._ask(question)
        if answer.result is None:
            raise StoreError("the store worker answered something else than a query result")
        return answer.result.behind(committed)

    def freshness(self) -> Freshness:
        """How much of the journal a question asked now is answered from, at the least."""
        committed = self._announcer.committed.record_id
        return Freshness.of(self._progress.stored.record_id, committed)

    async def remembered_query(
        self,
        sql: str,
        *,
        within: Within | None = None,
        limit: int | None = None,
        timeout_s: float | None = None,
        layout: Layout = ROWS,
    ) -> QueryResult:
        """`query`, or its last answer where nothing has been stored or removed since."""
        key = (sql, self._options.query_rows if limit is None else limit, layout)
        version = self._progress
        is_whole = not self.freshness().behind_records
        if is_whole and (known := self._remembered.find(version, key)) is not None:
            return known
        result = await self.query(
            sql, limit=limit, timeout_s=timeout_s, within=within, as_json=layout
        )
        if is_whole:
            self._remembered.keep(version, key, result)
        return result

    async def stream(
        self,
        sql: str,
        *,
        form: str,
        limit: int | None = None,
        timeout_s: float,
        state_tables: Mapping[str, StateTable] | None = None,
    ) -> AsyncGenerator[link.Piece]:
        """The answer as a file, piece by piece, as fast as they are taken; errors at any piece."""
        worker = await self._somebody()
        number = self._number()
        pieces = self._streams[number] = asyncio.Queue()
        worker.say(
            link.Stream(
                number=number,
                sql=sql,
                form=form,
                limit=NO_LIMIT if limit is None else limit,
                timeout_s=timeout_s,
                state=state_tables or {},
            )
        )
        try:
            while isinstance(piece := await pieces.get(), link.Piece):
                yield piece
                worker.say(link.Taken(number=number))
            if isinstance(piece, BaseException):
                raise piece
        finally:
            self._streams.pop(number, None)
            worker.say(link.Cancel(number=number))

    async def export(self) -> None:
        """Move everything stored into segments now, as a clean backup wants it."""
        await self._ask(link.Export(number=self._number()))

    async def look(self, files: Sequence[str]) -> Sequence[str]:
        """Read these segments again now; which of them are set aside as damaged."""
        return (await self._ask(link.Look(number=self._number(), files=tuple(files)))).set_aside

    async def hold(self, holds: Sequence[Hold]) -> None:
        """Give up nothing that fits one of these; a worker that is away hears it when it comes."""
        self._holds = tuple(holds)
        with suppress(StoreError):
            await self._ask(link.Holds(number=self._number(), holds=self._holds))

    @property
    def dialect(self) -> str:
        """Which SQL it is asked in."""
        return dialect_of(self._options.address)

    async def forget(self, user: str, *, upto: int) -> Erased:
        """Take out all that came up to a record, and is about a user; StoreError: try it again."""
        try:
            answer = await self._ask(link.Forget(number=self._number(), user=user, upto=upto))
        except QueryError as problem:
            raise StoreError(str(problem)) from problem
        finally:
            self._remembered = Remembered()  # nothing of the user is told from memory
        return answer.erased or Erased()

    async def status(self) -> StoreStatus:
        """How the store is; while the worker is away or busy, what it last told."""
        try:
            async with asyncio.timeout(STATUS_S):
                answer = await self._ask(link.Inspect(number=self._number()))
            self._told = answer.status or self._told
            self._before = self._told or self._before
        except (StoreError, TimeoutError):
            pass
        return msgspec.structs.replace(
            self._told or self._untold(),
            # Before it has told anything, nobody knows how many rows there are.
            state="starting" if self._told is None and self._state == "running" else self._state,
            committed=self._announcer.committed,
            restarts=self._lives.restarts,
            ended=self._ended,
        )

    @property
    def trouble(self) -> str:
        """Why nothing is stored any more; nothing while the worker works, or is being started."""
        if self._state == "stopped":
            return ""
        if self._progress.trouble:
            return self._progress.trouble
        if self._keeper is not None and self._keeper.done():
            return "nobody keeps the worker alive any more"
        silent_s = time.monotonic() - self._heard_at
        is_behind = self._progress.stored.record_id < self._announcer.committed.record_id
        if not (self._worker and is_behind) or silent_s < SILENCE_S:
            return ""
        return f"the worker has stored nothing for {silent_s:.0f} s"

    def _untold(self) -> StoreStatus:
        progress = self._progress
        return StoreStatus(
            state=self._state,
            stored=progress.stored,
            exported=progress.exported,
            # Those that the worker before told of are there still, or gone for good.
            rows=self._before.rows,
            forgotten=self._before.forgotten,
            damaged_rows=self._before.damaged_rows,
            counts=progress.counts,
        )

    async def caught_up(self, record_id: int, *, timeout_s: float = 10.0) -> bool:
        """Wait until queries see this record of the journal; False when they do not in time."""
        try:
            with self._announcer.hurrying():
                async with asyncio.timeout(timeout_s):
                    while self._progress.stored.record_id < record_id:
                        self._moved.clear()
                        await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def behind(self) -> int:
        """How many records of what is committed now are not stored after a moment's patience."""
        committed = self._announcer.committed.record_id
        await self.caught_up(committed, timeout_s=FRESH_S)
        return Freshness.of(self._progress.stored.record_id, committed).behind_records

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        while self._state != "stopped":
            began, before = loop.time(), self._progress.stored
            await self._live_once()
            if self._state == "stopped":
                return
            lasted = loop.time() - began > HEALTHY_S
            self._lives.ended(good=lasted or self._progress.stored > before)
            self._state = "restarting"
            self._listeners.restarting(self._anew)
            self._anew = ""
            if self._vitals is not None:
                self._vitals.add("store_worker_restarts")
            await asyncio.sleep(self._lives.wait_s)

    async def _live_once(self) -> None:
        worker = await WorkerProcess.spawn()
        self._worker = worker
        self._heard_at = time.monotonic()
        self._spawned.set()
        try:
            worker.say(
                link.Begin(
                    options=self._options,
                    journal_end=self._journal_end,
                    holds=self._holds,
                    careful=self._lives.careful,
                )
            )
            self._announcer.announce()
            async for message in worker.messages():
                self._hear(message)
        finally:
            self._worker = self._told = None
            self._spawned.clear()
            await worker.end()
            self._give_up_waiting()

    def _announce(self, committed: Position) -> None:
        if self._worker is not None:
            self._worker.say(link.Committed(place=committed))

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    async def _ask(self, question: _Asked) -> link.Answer:
        worker = await self._somebody()
        future: asyncio.Future[link.Answer] = asyncio.get_running_loop().create_future()
        self._waiting[question.number] = future
        self._announcer.hurry()
        worker.say(question)
        try:
            return await future
        except asyncio.CancelledError:
            worker.say(link.Cancel(number=question.number))
            raise
        finally:
            self._waiting.pop(question.number, None)

    async def _somebody(self) -> WorkerProcess:
        """The worker; one that is being started is waited for, a little."""
        if self._worker is None and self._state != "stopped":
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    await self._spawned.wait()
        if self._worker is None:
            raise StoreError(f"the store worker is {self._state}; try again in a moment")
        return self._worker

    def _hear(self, message: link.FromWorker) -> None:
        match message:
            case link.Progress():
                self._hear_progress(message)
            case link.Ended(anew=True):
                self._anew = message.reason
            case link.Ended():
                self._ended = message.reason
            case link.Buried():
                self._listeners.buried(message.payload, message.reason)
            case link.Piece():
                self._put(message.number, message)
            case link.Answer() | link.Refusal():
                self._hear_answer(message)

    def _hear_progress(self, progress: link.Progress) -> None:
        self._heard_at = time.monotonic()
        self._state = "running" if self._state != "stopped" else self._state
        if not self._progress.stored == progress.stored < self._announcer.committed:
            self._ended = ""
        self._progress = progress
        self._moved.set()
        self._listeners.stored(progress.stored)
        self._listeners.exported(progress.exported)
        if self._vitals is not None:
            for name, value in progress.counts.items():
                self._vitals.gauge(f"store_{name}", value)

    def _put(self, number: int, what: link.Piece | BaseException | None) -> None:
        if (pieces := self._streams.get(number)) is not None:
            pieces.put_nowait(what)

    def _hear_answer(self, message: link.Answer | link.Refusal) -> None:
        ended = QueryError(message.message) if isinstance(message, link.Refusal) else None
        self._put(message.number, ended)
        future = self._waiting.get(message.number)
        if future is None or future.done():
            return
        if isinstance(message, link.Answer):
            future.set_result(message)
        else:
            future.set_exception(QueryError(message.message))

    def _give_up_waiting(self) -> None:
        for number in self._streams:
            self._put(number, StoreError("the store worker stopped before it answered"))
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(StoreError("the store worker stopped before it answered"))
