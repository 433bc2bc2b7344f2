"""The recorder: lanes in, frames out, and the one thread that carries them over."""

from __future__ import annotations

import os
from _thread import allocate_lock
from time import monotonic

from qmon_sdk.accelerator import speedups
from qmon_sdk.client import failed
from qmon_sdk.protocol import flight
from qmon_sdk.protocol.signals import kind_of
from qmon_sdk.stats import Stats
from qmon_sdk.transports.originals import get_ident

from .cells import CELL, draw, reseed
from .flusher import Flusher, running_threads
from .lanes import Lane
from .outgoing import MOST_UNSENT, PLAIN_ROWS_PER_FRAME, ROWS_PER_FRAME, Outgoing
from .people import PEOPLE
from .rings import Rings
from .rows import take
from .unfinished import Unfinished

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qmon_sdk.protocol.signals import Point, Signal

    from .byte_rings import Waiting
    from .delivery import Delivery
    from .outgoing import Parts
    from .people import Who
    from .ring import Chunk, Ring

_forks = os.getpid if speedups is None else speedups.forks
"""Answers something else after a fork."""

_NOTHING_OPEN = Unfinished((), (), set())
_FORK_PATIENCE_S = 0.05
_END_PATIENCE_S = 0.02
_ANSWER_PATIENCE_S = 0.01
_ALONE = 2  # threads: the program's only one, and the flusher
_STATS_PATIENCE_S = 0.1
_PAUSE_S = 0.05  # between looks for the acknowledgement, if nothing is heard of it
_MOST_WAITING = 1 << 15  # signals that wait for the next flush
_HELP_S = 0.002  # what a call may wait for the flusher, of a thread that is quicker than it
_SEVERAL = flight.CHUNKS // 8  # pages that one thread fills before the flusher is woken


class Recorder:
    """Records for one process: one lane to a thread, one flusher, one delivery."""

    def __init__(self, parts: Parts) -> None:
        self.sampler = parts.sampler
        self.delivery: Delivery = parts.delivery
        self._books = parts.books
        self._metrics = parts.metrics
        self._settings = parts.settings
        self._outgoing = Outgoing(parts)
        self._begin()

    def _begin(self) -> None:
        """Become the recorder of the process that runs this."""
        self.pid = os.getpid()
        self._forks = _forks()
        self._told_open: set[str] = set()
        reseed()
        self.trace_hi = draw(64)
        self._waiting: list[Waiting] = []
        self.events: Any = None
        """Keeps plain events in one step of the accelerator, while nothing speaks against it."""
        self._unsent_bytes = 0  # of what waits, nearly: threads do not wait for each other to add
        self._help_at = self._settings.max_buffer_bytes // 2
        self._rings = Rings(self._settings, self._outgoing, self._use)
        self._lanes: dict[int, Lane] = {}
        self._gate = allocate_lock()
        self._paused = False
        self._awake = self._used = self._resting = False
        self._metrics_due = self._hurry_due = 0.0
        self._flusher = Flusher(self.tick, self._settings.flush_interval_s)

    # --- from the application's threads -------------------------------------------------------

    def lane(self) -> Lane:
        """Return the calling thread's lane."""
        ident = get_ident()
        lane = self._lanes.get(ident)
        if lane is None:
            ring = self.ring()
            place = ident if ring is self._rings.get(self.pid) else ~ident
            lane = self._lanes[place] = Lane(self, ring)
        return lane

    def ring(self) -> Ring:
        """Return this process's flight ring: made by `init`, or by a child's first signal."""
        return self._rings.of(self.pid)

    def _use(self, ring: Ring) -> None:
        self.events = None  # which note what they keep in the one before
        for place, lane in list(self._lanes.items()):
            if place < 0:
                lane.close()  # the next span of its thread asks again
        self.delivery.keep_in(ring)

    def chunk(self, lane: Lane) -> Chunk | None:
        """Give a lane a page for more rows; none if there is no room."""
        try:
            ring = lane.ring
            if len(lane.chunks) >= _SEVERAL or ring.is_filling:
                self._flusher.wake()
            return ring.chunk()
        except Exception as error:  # noqa: BLE001 - the guard: we are inside of somebody's call
            failed("chunk", error)
            return None

    def name(self, entry: bytes) -> None:
        """Note the name of a new site."""
        ring = self._rings.get(self.pid)
        if ring is not None:
            ring.name(entry)

    def introduce(self, who: Who) -> None:
        """Note who a number stands for, and that the span around here is theirs."""
        ring = self._rings.get(self.pid)
        if ring is not None:
            ring.introduce(who)
            CELL.get().introduce(who)

    def crumb(self, crumb: str, *, scope: int = 0) -> None:
        """Note a breadcrumb, and in which scope."""
        ring = self._rings.get(self.pid)
        if ring is not None and ring.is_shared:
            written = f'{crumb[:-1]}{flight.IN_SCOPE}{scope:x}"}}' if scope else crumb
            ring.notes.add(flight.CRUMB, written.encode("utf-8", "replace"))

    def scope_over(self, scope: int) -> None:
        """Note that a scope has ended, and with it its breadcrumbs."""
        ring = self._rings.get(self.pid)
        if ring is not None and ring.is_shared:
            ring.notes.add(flight.SCOPE_OVER, b"%x" % scope)

    def refill(self, lane: Lane) -> int:
        """Grant a lane `PERMITS` more spans from the returned id on; 0 grants none."""
        try:
            self.wake_up()
        except Exception as error:  # noqa: BLE001 - the guard: we are inside of somebody's call
            failed("refill", error)
        return draw(63) + 1 if lane.allowed else 0

    def emit(self, signal: Signal) -> None:
        """Send one signal at once."""
        self.wake_up()
        self._outgoing.signal(signal)

    def keep(self, signal: Signal) -> None:
        """Keep one signal for the next flush, where a kill does not reach it if there is a place.

        Without one, what must survive whatever follows is sent at once.
        """
        if not self._awake or _forks() != self._forks:
            self.wake_up()
        ring, kind = self._rings.get(self.pid) or self.ring(), kind_of(signal)
        waiting = self._waiting
        if len(waiting) > _MOST_WAITING or self._unsent_bytes > self._settings.max_buffer_bytes:
            self._books.captured(kind)
            self._books.dropped(kind, "queue_overflow")
        elif ring.is_shared:
            self._unsent_bytes += ring.notes.keep(flight.KEPT[kind], signal, waiting)
            if kind == "event" and self.events is None:
                self.events = self._outgoing.events(ring, waiting)
        elif kind == "log":
            waiting.append((0, 0, signal))
        else:
            self._outgoing.signal(signal)
        if len(waiting) >= ROWS_PER_FRAME or self._unsent_bytes > MOST_UNSENT:
            self._flusher.wake()
            if self._unsent_bytes > self._help_at:
                self._help()

    def _help(self) -> None:
        """Send what waits from the thread that fills the memory faster than it is emptied."""
        if not self._gate.acquire(timeout=_HELP_S):
            self._help_at += self._settings.max_buffer_bytes // 16  # not again at every call
            return
        try:
            self._flush(metrics=None)
        finally:
            self._gate.release()

    def wake_up(self) -> None:
        """Connect and start the flusher, once in each process, when there is something to carry."""
        if _forks() != self._forks:  # a fork that told nobody, as uWSGI's can be
            self.after_fork_in_child()
        if self._awake:
            return
        self._awake = self._used = True
        self.ring()  # before the first frame: a child has none yet
        if self._gate.acquire(blocking=False):
            try:
                self.delivery.poll()
            finally:
                self._gate.release()
        self._flusher.start()

    def hurry(self) -> None:
        """Tick soon for a number that is news; twice in a turn of metrics at the most."""
        self.wake_up()
        now = monotonic()
        if now >= self._hurry_due:
            self._hurry_due = now + self._settings.metric_interval_s / 2
            self._flusher.soon()

    @property
    def is_awake(self) -> bool:
        """Say whether anything was recorded yet: what only watches along starts no thread."""
        return self._awake

    # --- flushing: one thread at a time, whoever holds the gate --------------------------------

    def tick(self) -> None:
        """Do what is due: acknowledgements, finished spans, logs, metrics, the ledger."""
        self._metrics.poll(now=False)  # outside of the gate: it is the application's code
        if not self._gate.acquire(blocking=False):
            return
        try:
            self.delivery.poll()
            is_due = monotonic() >= self._metrics_due
            self._flush(metrics=self._drain_metrics if is_due else self._metrics.news)
        finally:
            self._gate.release()

    def flush(self, timeout: float, *, is_last: bool = False) -> bool:
        """Send everything, lastly open spans too, and wait for answers; `False` if late."""
        self._metrics.poll(now=True)
        return self._hand_over(monotonic() + timeout, is_last=is_last)

    def _hand_over(self, deadline: float, *, hopeless: bool = False, is_last: bool = False) -> bool:
        """Send everything, and wait for answers unless it is `hopeless`."""
        self.wake_up()
        patience = max(deadline - monotonic(), _FORK_PATIENCE_S if is_last else 0)
        if not self._gate.acquire(timeout=patience):
            return False
        try:
            self.delivery.poll()
            self._flush(metrics=self._drain_metrics, is_last=is_last)
            return not hopeless and self._drain(deadline)
        finally:
            self._gate.release()

    def _flush(self, *, metrics: Callable[[], list[Point]] | None, is_last: bool = False) -> None:
        try:
            self._gather(self._unfinished() if is_last else _NOTHING_OPEN)
            points = metrics() if metrics is not None else []
            if points:
                self._outgoing.signals("point", points)
            if points or metrics == self._drain_metrics:
                self._outgoing.ledger()  # in the same frame
        finally:
            self._outgoing.finish()

    def _unfinished(self) -> Unfinished:
        return Unfinished(self._rings.values(), list(self._lanes.values()), self._told_open)

    def _gather(self, unfinished: Unfinished) -> None:
        for lane in list(self._lanes.values()):
            self._flush_lane(lane, unfinished)
        if cut_off := unfinished.spans():
            self._outgoing.cut_off(cut_off)
        if waiting := self._waiting[:]:
            del self._waiting[: len(waiting)]
            self._unsent_bytes, self._help_at = 0, self._settings.max_buffer_bytes // 2
            self._outgoing.kept(waiting)
        PEOPLE.forget()

    def _drain_metrics(self) -> list[Point]:
        self._look_at_itself()
        self._metrics_due = monotonic() + self._settings.metric_interval_s
        return self._metrics.drain()

    def _look_at_itself(self) -> None:
        """Note time and weight, as often as metrics are due, not whenever somebody flushes."""
        ring = self._rings.get(self.pid)
        if ring is None or monotonic() < self._metrics_due:
            return
        ring.look()

    def _flush_lane(self, lane: Lane, unfinished: Unfinished) -> None:
        # As many as there are now: a thread in full swing would keep a flush busy for ever.
        for start in range(0, len(lane.chunks) * flight.ROWS, ROWS_PER_FRAME):
            if start:
                self._outgoing.finish()  # which lets go of what was taken
            rows = take(lane, ROWS_PER_FRAME if lane.ring.extras else PLAIN_ROWS_PER_FRAME)
            if rows.count:
                unfinished.ended(rows.spans())
                lane.latest = rows.latest()
                self._outgoing.spans(rows, lane)
            if not rows.has_more:
                break
        for missing, reason in zip(lane.missing(), ("sample_rate", "queue_overflow"), strict=True):
            self._outgoing.missing_spans(missing, reason)

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
            pending_bytes=self.delivery.bytes,
            connected=self.delivery.connected,
            transport=self.delivery.trouble,
            trouble={ring.trouble: 1 for ring in self._rings.values() if ring.trouble},
        ).replace(**{book: dict(counts) for book, counts in sums.items()})

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
                self._flush(metrics=self._drain_metrics)
                if self.delivery.connected:  # else it is in the spool
                    self._drain(monotonic() + _ANSWER_PATIENCE_S)
            finally:
                self._flusher.end(_END_PATIENCE_S)

    def after_fork_in_parent(self) -> None:
        """Go on, at once or with the next signal."""
        if self._resting:
            self._resting = self._awake = False
            self.events = None
            self._flusher = Flusher(self.tick, self._settings.flush_interval_s)
            self._metrics.call_in()
            for lane in self._lanes.values():
                lane.call_in()
        if self._paused:
            self._paused = False
            self._gate.release()

    def after_fork_in_child(self) -> None:
        """Become a process of its own: nothing that was recorded before belongs to it."""
        lanes, rings = self._lanes.values(), self._rings
        self._begin()
        for lane in lanes:
            lane.disown()
        rings.abandon()
        self._books.forget()
        self._metrics.begin()
        self._outgoing.begin()

    def at_exit(self, deadline: float, *, is_last: bool = False) -> None:
        """Hand over what is buffered until `deadline` (monotonic seconds), and spool the rest.

        With `is_last` the interpreter ends, and spans that are open still are told as well.
        """
        if self._used:
            # An agent that has stopped reading will not answer within milliseconds either.
            self._hand_over(deadline, hopeless=self.delivery.is_stuck, is_last=is_last)
            self.delivery.spool_rest()
        self._rings.land(is_empty=not self.delivery.pending)

    def close(self, timeout: float) -> bool:
        """Stop recording, send what there is, wait up to `timeout` seconds, spool the rest."""
        for lane in list(self._lanes.values()):
            lane.close()
        self._flusher.stop()
        done = self.flush(timeout, is_last=True) if self._used else True
        self.delivery.close()
        self._rings.land(is_empty=not self.delivery.pending)
        return done
