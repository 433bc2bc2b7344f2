"""Group commit for asyncio: one thread writes and syncs, all that waits is answered at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from qmon_agent.domain.pulses import Pulse

from .errors import JournalFullError
from .journal import Journal
from .records import HEAD_BYTES, Position, Record, check

OnCommit = Callable[[Position, Sequence[Record]], None]
Key = tuple[bytes, int]
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
_LONGEST_TURN_S = 60.0  # of the busiest disk


class CommitResult(msgspec.Struct, frozen=True, gc=False):
    """What became of a submission. A refused one is the sender's to keep and to send again."""

    outcome: Literal["stored", "duplicate", "refused"]
    reason: str = ""
    record_id: int = 0

    @property
    def is_kept(self) -> bool:
        """Whether it may be acknowledged."""
        return self.outcome != "refused"


_DUPLICATE = CommitResult("duplicate")


class _Waiting:
    """A record on its way, and who wants to know: the first stored it, the others repeat it."""

    __slots__ = ("futures", "payload")

    def __init__(self, payload: bytes, future: asyncio.Future[CommitResult]) -> None:
        self.payload = payload
        self.futures = [future]

    def answer(self, result: CommitResult) -> None:
        for future in self.futures:
            if not future.done():
                future.set_result(result)
            if result.outcome == "stored":
                result = _DUPLICATE


class GroupCommitter:
    """Give it to one event loop. Its thread sleeps until something is submitted."""

    def __init__(self, journal: Journal, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.pulse = Pulse(_LONGEST_TURN_S)
        self._journal = journal
        self._loop = loop or asyncio.get_running_loop()
        self._callbacks: list[OnCommit] = []
        # Touched by the loop only.
        self._waiting: dict[Key, _Waiting] = {}
        self._waiting_bytes = 0
        self._gathered: list[tuple[Key, bytes]] = []
        # Touched under the condition.
        self._wake = threading.Condition()
        self._queue: list[tuple[Key, bytes]] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="qmon-journal", daemon=True)
        self._thread.start()

    def on_commit(self, callback: OnCommit) -> None:
        """`callback(position, records)` on the loop after each commit, in order."""
        self._callbacks.append(callback)

    def submit(self, payload: bytes, process: bytes, sequence: int) -> asyncio.Future[CommitResult]:
        """Call it on the loop; the future resolves when the disk, not the cache, has it."""
        check(payload, process, sequence)
        future: asyncio.Future[CommitResult] = self._loop.create_future()
        key = (process, sequence)
        waiting = self._waiting.get(key)
        if waiting:
            waiting.futures.append(future)
        elif self._journal.seen(process, sequence):
            future.set_result(_DUPLICATE)
        elif reason := self._refusal(len(payload)):
            future.set_result(CommitResult("refused", reason))
        else:
            self._waiting[key] = _Waiting(payload, future)
            self._waiting_bytes += HEAD_BYTES + len(payload)
            self._gathered.append((key, payload))
            if len(self._gathered) == 1:
                self._loop.call_soon(self._hand_over)
        return future

    def _hand_over(self) -> None:
        """All that one turn of the loop has submitted: waking the thread for each is what costs."""
        gathered, self._gathered = self._gathered, []
        if gathered:
            with self._wake:
                self._queue += gathered
                self._wake.notify()

    def is_coming(self, process: bytes, sequence: int) -> bool:
        """Whether somebody waits for it, on the loop."""
        return (process, sequence) in self._waiting

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for anything."""
        return not self._waiting

    async def close(self) -> None:
        """Commit what the disk takes, refuse the rest, stop the thread."""
        self._hand_over()
        with self._wake:
            self._closing = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join)
        await asyncio.sleep(0)  # let the last answers through
        for waiting in self._waiting.values():
            waiting.answer(CommitResult("refused", "closing"))
        self._waiting.clear()

    def _refusal(self, size: int) -> str:
        if self._closing:
            return "closing"
        if self._waiting_bytes + size <= self._journal.options.memory_bytes:
            return ""
        return self._journal.trouble or "busy"

    def _run(self) -> None:
        pause = 0.0
        while True:
            queue, closing = self._next(pause)
            try:
                with self.pulse:
                    self._write(queue)
            except Exception as error:  # noqa: BLE001 -- nobody else answers those who wait
                self._call(self._complain, error)
                keys = [key for key, _ in queue]
                self._call(self._answer, keys, CommitResult("refused", "internal"))
            if closing:
                return
            pause = _longer(pause) if self._journal.pending_bytes else 0.0

    def _write(self, queue: list[tuple[Key, bytes]]) -> None:
        if queue and self._is_settled():
            self._append(queue)
        while records := self._journal.commit_batch():
            self._call(self._committed, records)

    def _next(self, pause: float) -> tuple[list[tuple[Key, bytes]], bool]:
        """Sleep until there is something to do; in trouble, at least and at most for `pause`."""
        with self._wake:
            if pause:
                self._wake.wait_for(lambda: self._closing, timeout=pause)
            else:
                self._wake.wait_for(lambda: bool(self._queue) or self._closing)
            queue, self._queue = self._queue, []
            return queue, self._closing

    def _is_settled(self) -> bool:
        """Wait until `seen` can be believed; False: closing came first."""
        while not self._journal.wait_until_settled(_FIRST_PAUSE_S):
            if self._closing:
                return False
        return True

    def _append(self, queue: list[tuple[Key, bytes]]) -> None:
        repeated: list[Key] = []
        refused: list[Key] = []
        for key, payload in queue:
            process, sequence = key
            if self._journal.seen(process, sequence):
                repeated.append(key)
                continue
            try:
                self._journal.append(payload, process=process, sequence=sequence)
            except JournalFullError:
                refused.append(key)
        if repeated:
            self._call(self._answer, repeated, _DUPLICATE)
        if refused:
            reason = self._journal.trouble or "busy"
            self._call(self._answer, refused, CommitResult("refused", reason))

    def _call(self, function: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # the loop is closed: nobody is left to tell
            return

    def _committed(self, records: list[Record]) -> None:
        for record in records:
            self._settle(
                (record.process, record.sequence), CommitResult("stored", "", record.record_id)
            )
        for callback in self._callbacks:
            try:
                callback(records[-1].position, records)
            except Exception as error:  # noqa: BLE001 -- one reader must not stop the others
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        self._loop.call_exception_handler(
            {"message": "the journal, or a reader of it, failed", "exception": error}
        )

    def _answer(self, keys: list[Key], result: CommitResult) -> None:
        for key in keys:
            self._settle(key, result)

    def _settle(self, key: Key, result: CommitResult) -> None:
        waiting = self._waiting.pop(key, None)
        if waiting:
            self._waiting_bytes -= HEAD_BYTES + len(waiting.payload)
            waiting.answer(result)


def _longer(pause: float) -> float:
    return min(_LONGEST_PAUSE_S, pause * 2 or _FIRST_PAUSE_S)
