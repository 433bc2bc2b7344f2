"""A walk over every committed record: what rules, catalog and books, or processors make of it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

from qmon_agent.journal import Position, Record
from qmon_agent.vitals import Vitals

# Committed records that wait in memory; beyond it they are read from the journal again.
_HELD_BYTES = 8 << 20
_HELD_TIGHT_BYTES = 1 << 20
_BATCH_BYTES = 2 << 20
_DISK_PAUSE_S = 0.25
_BREATH_S = 0.02
"""Between two looks at what is new: what comes one by one, and often, is judged together."""

T = TypeVar("T")


class Reader(Protocol):
    """The journal from some place on. Called from the walk's thread only."""

    position: Position
    waits: bool

    def read(self, until: int | None = None, max_bytes: int = 1 << 20) -> list[Record]: ...

    def close(self) -> None: ...


Judge = Callable[[Sequence[Record]], None]


class Walk:
    """Gives every record to `judge` once, in order, on a thread of its own.

    Fresh records come from memory; what a restart or a slow judge left behind comes from the
    journal. Nobody waits for it: a commit only leaves its records here.
    """

    def __init__(
        self,
        judge: Judge,
        *,
        open_reader: Callable[[Position], Reader],
        start: Position,
        vitals: Vitals,
        tick: Callable[[], None] = lambda: None,
        name: str = "rules",
    ) -> None:
        """`tick` lets time pass for `judge`; called once everything committed has been judged."""
        self.position = start
        self.ticked_at = 0.0
        self.waits_for = ""
        """Why what is committed cannot be read at the moment; nothing while it can."""
        self._judge = judge
        self._tick = tick
        self._open_reader = open_reader
        self._vitals = vitals
        self._committed = start
        self._fresh: deque[Record] = deque()
        self._fresh_bytes = 0
        self._held_most = _HELD_BYTES
        self._looked_at = 0.0
        self._moved = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"qmon-{name}")
        self._task: asyncio.Task[None] | None = None
        self._judged = asyncio.Event()

    @property
    def lag(self) -> int:
        """Records committed and not judged yet."""
        return max(0, self._committed.record_id - self.position.record_id)

    @property
    def has_ended(self) -> bool:
        """Whether it stands still, `judge` having raised what it should not."""
        return self._task is not None and self._task.done()

    @property
    def trouble(self) -> str:
        """Why it goes no further; nothing while it does, or is not to."""
        task = self._task
        if task is None or not task.done() or task.cancelled():
            return ""
        problem = task.exception()
        return f"the walk has ended: {type(problem).__name__}: {problem}"

    def start(self, committed: Position) -> None:
        """Begins with what the journal holds already."""
        self._committed = max(self._committed, committed)
        self._moved.set()
        self._task = asyncio.create_task(self._run())

    async def drain(self) -> None:
        """Waits until everything committed has been judged."""
        while self.lag and self._task is not None and not self._task.done():
            self._judged.clear()
            await self._judged.wait()

    async def stop(self) -> None:
        """Judges no more; what is left waits in the journal."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            # What is on the thread may wait for the loop, which must not wait for it.
            await self.on_thread(lambda: None)
        self._thread.shutdown(wait=True, cancel_futures=True)

    def committed(self, position: Position, records: Sequence[Record]) -> None:
        """After each commit, on the loop."""
        self._committed = position
        self._fresh.extend(records)
        self._fresh_bytes += sum(len(record.payload) for record in records)
        while self._fresh and self._fresh_bytes > self._held_most:
            self._fresh_bytes -= len(self._fresh.popleft().payload)
        self._moved.set()

    def shrink(self, *, is_tight: bool) -> None:
        """Holds less while memory is little; what is not held is read from the journal."""
        self._held_most = _HELD_TIGHT_BYTES if is_tight else _HELD_BYTES

    async def on_thread(self, work: Callable[[], T]) -> T:
        """Runs something where nothing is being judged meanwhile: a tick, a checkpoint."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _run(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            await self._breathe()
            while self.lag:
                if self._continues():
                    await self._judge_batch(self._take_fresh())
                else:
                    await self._catch_up()

    async def _breathe(self) -> None:
        """Whatever comes after a pause is looked at without one."""
        rest = self._looked_at + _BREATH_S - time.monotonic()
        if rest > 0:
            await asyncio.sleep(rest)
        self._looked_at = time.monotonic()

    def _continues(self) -> bool:
        """Whether memory holds the very next record."""
        while self._fresh and self._fresh[0].record_id <= self.position.record_id:
            self._fresh_bytes -= len(self._fresh.popleft().payload)
        return bool(self._fresh) and self._fresh[0].record_id == self.position.record_id + 1

    def _take_fresh(self) -> list[Record]:
        batch: list[Record] = []
        size = 0
        while self._fresh and size < _BATCH_BYTES:
            batch.append(self._fresh.popleft())
            size += len(batch[-1].payload)
        self._fresh_bytes -= size
        return batch

    async def _catch_up(self) -> None:
        """Reads the journal until memory goes on from there."""
        reader = self._open_reader(self.position)
        try:
            while self.lag and not self._continues():
                until = self._committed.record_id
                batch = await self._read(reader, until)
                if not batch:
                    # Trimmed or damaged meanwhile: the journal has counted it, we go on behind it.
                    self._step_over(until)
                    return
                await self._judge_batch(batch)
        finally:
            await self.on_thread(reader.close)

    async def _read(self, reader: Reader, until: int) -> list[Record]:
        """As much as there is; a disk that does not read is asked again, while that is worth it."""
        while True:
            try:
                batch = await self.on_thread(partial(reader.read, until, _BATCH_BYTES))
                waits_for = "the disk does not read the journal" if reader.waits else ""
            except OSError as problem:
                batch, waits_for = [], f"the journal cannot be read: {problem.strerror}"
            if batch or not waits_for:
                self.waits_for = ""
                return batch
            self.waits_for = waits_for
            self._vitals.add("walk_waits")
            await asyncio.sleep(_DISK_PAUSE_S)

    def _step_over(self, until: int) -> None:
        # What has come since this was asked for may be there, and not in memory.
        first = min(until + 1, self._fresh[0].record_id if self._fresh else until + 1)
        self._vitals.add("walk_records_missed", first - self.position.record_id - 1)
        self.position = Position(first - 1, self.position.segment, self.position.offset)

    async def _judge_batch(self, records: list[Record]) -> None:
        await self.on_thread(partial(self._judge_and_tick, records))
        self.position = records[-1].position
        self._judged.set()

    def _judge_and_tick(self, records: list[Record]) -> None:
        self._judge(records)
        if records[-1].record_id < self._committed.record_id:
            return
        try:
            self.tick()
        except Exception as problem:  # noqa: BLE001 - the next record may do better
            self._vitals.add("walk_failures", error=type(problem).__name__)

    def tick(self) -> None:
        """On the walk's thread, for which every waking costs something."""
        self._tick()
        self.ticked_at = time.monotonic()
