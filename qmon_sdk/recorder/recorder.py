"""The recorder: lanes in, frames out, and the one thread that carries them over."""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident
from time import monotonic

from qmon_sdk.client import failed
from qmon_sdk.protocol.columns import MAX_ROWS
from qmon_sdk.stats import Stats

from .cells import WIDTH, Lane, draw, reseed
from .flusher import Flusher, running_threads
from .outgoing import ROWS_PER_FRAME, Outgoing
from .rows import take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qmon_sdk.protocol.signals import Signal

    from .delivery import Delivery
    from .outgoing import Parts

_FORK_PATIENCE_S = 0.05
_END_PATIENCE_S = 0.02
_ANSWER_PATIENCE_S = 0.01
_ALONE = 2  # threads: the program's only one, and the flusher
_STATS_PATIENCE_S = 0.1
_PAUSE_S = 0.05  # between looks for the acknowledgement, if nothing is heard of it
_BYTES_PER_ROW = 8 * WIDTH + 5 * 32  # the list's places, and the integers they point to


class Recorder:
    """Records for one process: one lane to a thread, one flusher, one delivery."""

    def __init__(self, parts: Parts) -> None:
        self.sampler = parts.sampler
        self.delivery: Delivery = parts.delivery
        self._books = parts.books
        self._metrics = parts.metrics
        self._settings = parts.settings
        self._room = max(parts.settings.max_buffer_bytes // _BYTES_PER_ROW, ROWS_PER_FRAME)
        self._outgoing = Outgoing(parts)
        self._begin()

    def _begin(self) -> None:
        """Become the recorder of the process that runs this."""
        self.pid = os.getpid()
        reseed()
        self.trace_hi = draw(64)
        self._logs: list[Signal] = []
        self._lanes: dict[int, Lane] = {}
        self._gate = allocate_lock()
        self._paused = False
        self._awake = self._used = self._resting = False
        self._metrics_due = 0.0
        self._flusher = Flusher(self.tick, self._settings.flush_interval_s)

    # --- from the application's threads -------------------------------------------------------

    def lane(self) -> Lane:
        """Return the calling thread's lane."""
        ident = get_ident()
        lane = self._lanes.get(ident)
        if lane is None:
            lane = self._lanes[ident] = Lane(self)
        return lane

    def refill(self, lane: Lane) -> int:
        """Grant a lane `PERMITS` more spans from the returned id on; 0 grants none."""
        try:
            self._look_after(lane)
        except Exception as error:  # noqa: BLE001 - the guard: we are inside of somebody's call
            failed("refill", error)
        return draw(63) + 1 if lane.allowed else 0

    def _look_after(self, lane: Lane) -> None:
        """See to it that what a lane holds is carried away, and does not grow beyond its bound."""
        self.wake_up()
        waiting = len(lane.rows) // WIDTH
        if waiting >= ROWS_PER_FRAME:
            self._flusher.wake()
        if waiting > self._room:
            self._make_room(lane)

    def emit(self, signal: Signal) -> None:
        """Send one signal at once."""
        self.wake_up()
        self._outgoing.signal(signal)

    def keep(self, signal: Signal) -> None:
        """Keep one signal for the next flush."""
        self.wake_up()
        waiting = len(self._logs)
        if waiting > self._room:
            self._books.captured("log")
            self._books.dropped("log", "queue_overflow")
            return
        self._logs.append(signal)
        if waiting >= ROWS_PER_FRAME:
            self._flusher.wake()

    def wake_up(self) -> None:
        """Connect and start the flusher, once in each process, when there is something to carry."""
        if os.getpid() != self.pid:  # a fork that told nobody, as uWSGI's can be
            self.after_fork_in_child()
        if self._awake:
            return
        self._awake = self._used = True
        if self._gate.acquire(blocking=False):
            try:
                self.delivery.poll()
            finally:
                self._gate.release()
        self._flusher.start()

    @property
    def is_awake(self) -> bool:
        """Say whether anything was recorded yet: what only watches along starts no thread."""
        return self._awake

    def _make_room(self, lane: Lane) -> None:
        """Drop the older half of a lane, unless somebody is taking from it just now."""
        if not self._gate.acquire(blocking=False):
            return
        try:
            excess = len(take(lane.rows, len(lane.rows) // WIDTH - self._room // 2)[0])
        finally:
            self._gate.release()
        self._books.captured("span", excess)
        self._books.dropped("span", "queue_overflow", excess)

    # --- flushing: one thread at a time, whoever holds the gate --------------------------------

    def tick(self) -> None:
        """Do what is due: acknowledgements, finished spans, logs, metrics, the ledger."""
        if not self._gate.acquire(blocking=False):
            return
        try:
            self.delivery.poll()
            self._flush(metrics=monotonic() >= self._metrics_due)
        finally:
            self._gate.release()

    def flush(self, timeout: float) -> bool:
        """Send everything and wait until it is acknowledged or spooled; `False` if that is late."""
        return self._hand_over(monotonic() + timeout)

    def _hand_over(self, deadline: float, *, hopeless: bool = False) -> bool:
        """Send everything, and wait for answers unless it is `hopeless`."""
        self.wake_up()
        if not self._gate.acquire(timeout=max(deadline - monotonic(), 0)):
            return False
        try:
            self.delivery.poll()
            self._flush(metrics=True)
            return not hopeless and self._drain(deadline)
        finally:
            self._gate.release()

    def _flush(self, *, metrics: bool) -> None:
        for lane in list(self._lanes.values()):
            self._outgoing.wasted_spans(len(take(lane.wasted, MAX_ROWS)[0]))
            # As many as there are now: a thread in full swing would keep a flush busy for ever.
            for _ in range(0, len(lane.rows), ROWS_PER_FRAME * WIDTH):
                self._outgoing.spans(take(lane.rows, ROWS_PER_FRAME))
        if self._logs:
            logs = self._logs[:]
            del self._logs[: len(logs)]
            self._outgoing.signals("log", logs)
        if metrics:
            self._metrics_due = monotonic() + self._settings.metric_interval_s
            if points := self._metrics.drain():
                self._outgoing.signals("point", points)
            self._outgoing.ledger()

    def _drain(self, deadline: float) -> bool:
        while self.delivery.pending:
            left = deadline - monotonic()
            if left <= 0:
                return False
            self.delivery.wait(min(_PAUSE_S, left))
            self.delivery.poll()
        return True

    def stats(self) -> Stats:
        """Read the books; counts are a moment old while a flush is under way."""
        held = self._gate.acquire(timeout=_STATS_PATIENCE_S)
        try:
            sums = self._books.read() if held else self._books.sums
        finally:
            if held:
                self._gate.release()
        return Stats(
            captured=dict(sums["captured"]),
            dropped=dict(sums["dropped"]),
            acknowledged=dict(sums["acknowledged"]),
            spooled=dict(sums["spooled"]),
            pending_bytes=self.delivery.bytes,
            connected=self.delivery.connected,
            transport=self.delivery.trouble,
        )

    # --- life: fork and exit -------------------------------------------------------------------

    def before_fork(self) -> None:
        """Hold the gate, so that nothing is half sent when the process is copied.

        Python warns of a fork beside threads, which a program of one thread shall not hear because
        of ours: the flusher hands over what there is, ends, and begins again with the next signal.
        """
        self._paused = self._gate.acquire(timeout=_FORK_PATIENCE_S)
        if self._paused and self._awake and running_threads() == _ALONE:
            self._resting = True
            try:
                self.delivery.poll()
                self._flush(metrics=True)
                if self.delivery.connected:  # else it is in the spool
                    self._drain(monotonic() + _ANSWER_PATIENCE_S)
            finally:
                self._flusher.end(_END_PATIENCE_S)

    def after_fork_in_parent(self) -> None:
        """Go on, at once or with the next signal."""
        if self._resting:
            self._resting = self._awake = False
            self._flusher = Flusher(self.tick, self._settings.flush_interval_s)
            self._metrics.call_in()
            for lane in self._lanes.values():
                lane.call_in()
        if self._paused:
            self._paused = False
            self._gate.release()

    def after_fork_in_child(self) -> None:
        """Become a process of its own: nothing that was recorded before belongs to it."""
        lanes = self._lanes.values()
        self._begin()
        for lane in lanes:
            lane.close()
            lane.rows.clear()
            lane.wasted.clear()
        self._books.forget()
        self._metrics.begin()
        self._outgoing.begin()

    def at_exit(self, deadline: float) -> None:
        """Hand over what is buffered until `deadline` (monotonic seconds), and spool the rest."""
        if self._used:
            # An agent that has stopped reading will not answer within milliseconds either.
            self._hand_over(deadline, hopeless=self.delivery.is_stuck)
            self.delivery.spool_rest()

    def close(self, timeout: float) -> bool:
        """Stop recording, send what there is, wait up to `timeout` seconds, spool the rest."""
        for lane in list(self._lanes.values()):
            lane.close()
        self._flusher.stop()
        done = self.flush(timeout) if self._used else True
        self.delivery.close()
        return done
