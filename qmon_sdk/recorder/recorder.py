"""The recorder: lanes in, frames out, and the one thread that carries them over."""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident
from time import monotonic, time_ns

from qmon_sdk.protocol.columns import MAX_ROWS, block_of
from qmon_sdk.protocol.errors import OversizeError
from qmon_sdk.protocol.frames import Resource, assemble, pack, pack_block
from qmon_sdk.protocol.records import Record
from qmon_sdk.protocol.signals import kind_of
from qmon_sdk.stats import Stats

from .cells import WIDTH, Lane, draw, reseed
from .flusher import Flusher
from .rows import span_block, take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qmon_sdk.metrics import Fold
    from qmon_sdk.protocol.columns import Block
    from qmon_sdk.protocol.signals import Signal
    from qmon_sdk.sampling import Sampler
    from qmon_sdk.scrub import Scrubber
    from qmon_sdk.settings import Settings
    from qmon_sdk.stats import Books

    from .delivery import Delivery

ROWS_PER_FRAME = 1024
"""Rows one frame takes from a lane: its bytes stay below what a unix datagram can carry."""

_NO_LEDGER = pack(None)
_FORK_PATIENCE_S = 0.05
_BYTES_PER_ROW = 8 * WIDTH + 5 * 32  # the list's places, and the integers they point to


class Parts(Record):
    """What a recorder works with."""

    settings: Settings = None  # type: ignore[assignment]
    books: Books = None  # type: ignore[assignment]
    scrubber: Scrubber = None  # type: ignore[assignment]
    metrics: Fold = None  # type: ignore[assignment]
    sampler: Sampler = None  # type: ignore[assignment]
    delivery: Delivery = None  # type: ignore[assignment]


class Recorder:
    """Records for one process: one lane to a thread, one flusher, one delivery."""

    def __init__(self, parts: Parts) -> None:
        self.sampler = parts.sampler
        self._parts = parts
        self._settings = parts.settings
        self._books = parts.books
        self._delivery = parts.delivery
        self._logs: list[Signal] = []
        self._lanes: dict[int, Lane] = {}
        self._gate = allocate_lock()
        self._paused = False
        self._flusher = Flusher(self.tick, parts.settings.flush_interval_s)
        self._room = max(parts.settings.max_buffer_bytes // _BYTES_PER_ROW, ROWS_PER_FRAME)
        self._begin_process()

    def _begin_process(self) -> None:
        """Become this process: identity, ids, and what every frame says of it."""
        self.pid = os.getpid()
        self.process = os.urandom(16)
        reseed()
        self.trace_hi = draw(64)
        self._metrics_due = 0.0
        self._told: Any = None
        self._resource = pack(list(_resource(self._settings, self.pid)))
        self._awake = False
        self._delivery.begin(self.process)

    # --- lanes: from the application's threads ------------------------------------------------

    def lane(self) -> Lane:
        """Return the calling thread's lane."""
        ident = get_ident()
        lane = self._lanes.get(ident)
        if lane is None:
            lane = self._lanes[ident] = Lane(self)
        return lane

    def refill(self, lane: Lane) -> int:
        """Grant a lane `PERMITS` more spans from the returned id on, and keep it in bounds."""
        self._wake_up()
        if not lane.allowed:
            return 0
        waiting = len(lane.rows) // WIDTH
        if waiting >= ROWS_PER_FRAME:
            self._flusher.wake()
        if waiting > self._room:
            excess = len(take(lane.rows, waiting - self._room // 2)) // WIDTH
            self._books.captured("span", excess)
            self._books.dropped("span", "queue_overflow", excess)
        return draw(63) + 1

    def _wake_up(self) -> None:
        """Connect and start the flusher, once in each process, when there is something to carry."""
        self._notice_fork()
        if self._awake:
            return
        self._awake = True
        if self._gate.acquire(blocking=False):
            try:
                self._delivery.poll()
            finally:
                self._gate.release()
        self._flusher.start()

    def emit(self, signal: Signal) -> None:
        """Send one signal at once."""
        self._wake_up()
        kind = kind_of(signal)
        self._books.captured(kind)
        # A single row has every column constant, and a constant is written as it is.
        self._send([pack([kind, 1, list(signal)])], {kind: 1})

    def keep(self, signal: Signal) -> None:
        """Keep one signal for the next flush."""
        self._wake_up()
        waiting = len(self._logs)
        if waiting > self._room:
            self._books.captured("log")
            self._books.dropped("log", "queue_overflow")
            return
        self._logs.append(signal)
        if waiting >= ROWS_PER_FRAME:
            self._flusher.wake()

    # --- flushing: one thread at a time, whoever holds the gate --------------------------------

    def tick(self) -> None:
        """Do what is due: acknowledgements, finished spans, logs, metrics, the ledger."""
        if not self._gate.acquire(blocking=False):
            return
        try:
            self._delivery.poll()
            self._flush(metrics=monotonic() >= self._metrics_due)
        finally:
            self._gate.release()

    def flush(self, timeout: float) -> bool:
        """Send everything and wait until it is acknowledged or spooled; `False` if that is late."""
        deadline = monotonic() + timeout
        self._notice_fork()
        if not self._gate.acquire(timeout=max(timeout, 0)):
            return False
        try:
            self._delivery.poll()
            self._flush(metrics=True)
            return self._drain(deadline)
        finally:
            self._gate.release()

    def _drain(self, deadline: float) -> bool:
        from time import sleep

        while self._delivery.pending:
            if monotonic() >= deadline:
                return False
            sleep(0.001)
            self._delivery.poll()
        return True

    def _flush(self, *, metrics: bool) -> None:
        for lane in list(self._lanes.values()):
            self._flush_lane(lane)
        if self._logs:
            logs = self._logs[:]
            del self._logs[: len(logs)]
            self._send_signals("log", logs)
        if metrics:
            self._metrics_due = monotonic() + self._settings.metric_interval_s
            if points := self._parts.metrics.drain():
                self._send_signals("point", points)
        self._send_ledger()

    def _flush_lane(self, lane: Lane) -> None:
        if wasted := len(take(lane.wasted, MAX_ROWS)) // WIDTH:
            self._books.captured("span", wasted)
            self._books.dropped("span", "sample_rate", wasted)
        while flat := take(lane.rows, ROWS_PER_FRAME):
            self._books.captured("span", len(flat) // WIDTH)
            self._fold_durations(flat)
            self._send_rows(flat)

    def _fold_durations(self, flat: list[Any]) -> None:
        sites = flat[::WIDTH]
        if not any(site.metric for site in set(sites)):
            return
        for place, site in zip(range(0, len(flat), WIDTH), sites, strict=True):
            if not site.metric:
                continue
            self._parts.metrics.distribution(
                f"{site.name}.duration", flat[place + 8] / 1e9, unit="s"
            )

    def _send_rows(self, flat: list[Any]) -> None:
        block = span_block(flat, self._parts.scrubber.labels)
        hook = self._settings.before_send_span
        if hook is not None:
            block = self._filtered(block, hook)
        self._send_block(block)

    def _send_signals(self, kind: str, signals: list[Any]) -> None:
        self._books.captured(kind, len(signals))
        for start in range(0, len(signals), ROWS_PER_FRAME):
            self._send_block(block_of(kind, signals[start : start + ROWS_PER_FRAME]))

    def _filtered(self, block: Block, hook: Callable[[Any], Any]) -> Block:
        """Let the application see each signal, for the few that want to."""
        from qmon_sdk.protocol.columns import rows_of

        rows = rows_of(block)
        kept = [seen for row in rows if (seen := hook(row)) is not None]
        self._books.dropped(block.kind, "before_send", len(rows) - len(kept))
        return block_of(block.kind, kept)

    def _send_block(self, block: Block) -> None:
        if block.rows:
            self._send([pack_block(block)], {block.kind: block.rows})

    def _send_ledger(self) -> None:
        """Tell the agent the books, if they say anything new."""
        ledger = self._books.ledger()
        if ledger != self._told:
            self._told = ledger
            self._send([], {}, ledger=pack(list(ledger)))

    def _send(
        self, blocks: list[bytes], counts: dict[str, int], ledger: bytes = _NO_LEDGER
    ) -> None:
        sequence = self._delivery.next_sequence()
        head = (self.process, sequence, time_ns())
        try:
            frame = assemble(head=head, resource=self._resource, blocks=blocks, ledger=ledger)
        except OversizeError as error:
            for kind, n in counts.items():
                self._books.dropped(kind, error.reason, n)
            return
        self._delivery.deliver(sequence, frame, counts)

    # --- life: fork and exit -------------------------------------------------------------------

    @property
    def delivery(self) -> Delivery:
        """What is on its way."""
        return self._delivery

    def before_fork(self) -> None:
        """Hold the gate, so that nothing is half sent when the process is copied."""
        self._paused = self._gate.acquire(timeout=_FORK_PATIENCE_S)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._paused:
            self._paused = False
            self._gate.release()

    def _notice_fork(self) -> None:
        """Look for a fork that told nobody, as uWSGI's can be."""
        if os.getpid() != self.pid:
            self.after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """Become a process of its own: nothing that was recorded before belongs to it."""
        self._gate = allocate_lock()
        self._paused = False
        self._flusher = Flusher(self.tick, self._settings.flush_interval_s)
        self._renew()

    def _renew(self) -> None:
        lanes, self._lanes, self._logs = self._lanes, {}, []
        for lane in lanes.values():
            lane.close()
            lane.rows.clear()
            lane.wasted.clear()
        self._books.forget()
        self._parts.metrics.drain()
        self._begin_process()

    def stats(self) -> Stats:
        """Read the books; waits for a flush under way."""
        with self._gate:
            sums = self._books.read()
            return Stats(
                captured=dict(sums["captured"]),
                dropped=dict(sums["dropped"]),
                acknowledged=dict(sums["acknowledged"]),
                spooled=dict(sums["spooled"]),
                pending_bytes=self._delivery.bytes,
                connected=self._delivery.connected,
                transport=self._delivery.trouble,
            )

    def at_exit(self, deadline: float) -> None:
        """Hand over what is buffered until `deadline` (monotonic seconds), and spool the rest."""
        self.flush(max(deadline - monotonic(), 0.0))
        self._delivery.spool_rest()

    def close(self, timeout: float) -> bool:
        """Stop recording, send what there is, wait up to `timeout` seconds, spool the rest."""
        for lane in list(self._lanes.values()):
            lane.close()
        self._flusher.stop()
        done = self.flush(timeout)
        self._delivery.close()
        return done


def _resource(settings: Settings, pid: int) -> Resource:
    return Resource(
        service=settings.service,
        release=settings.release,
        environment=settings.environment,
        host=settings.host,
        pid=pid,
        started=time_ns(),
        sdk="qmon.python",
        attributes=dict(settings.resource),
    )
