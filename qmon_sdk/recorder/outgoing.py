"""Frames of this process: what is recorded is written, counted, numbered and handed to delivery."""

from __future__ import annotations

import os
from _bisect import bisect_right
from itertools import accumulate
from time import time_ns

from qmon_sdk.client import failed
from qmon_sdk.protocol import flight
from qmon_sdk.protocol.columns import block_of, rows_of
from qmon_sdk.protocol.errors import OversizeError
from qmon_sdk.protocol.frames import Resource, assemble, pack, pack_block
from qmon_sdk.protocol.records import Record
from qmon_sdk.protocol.signals import SIGNALS, kind_of

from .event_rows import by_kind, packed_block, quick_events
from .extras import Extras
from .rows import span_block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qmon_sdk.metrics import Fold
    from qmon_sdk.protocol.columns import Block
    from qmon_sdk.protocol.frames import Ledger
    from qmon_sdk.protocol.signals import Signal, Span
    from qmon_sdk.sampling import Sampler
    from qmon_sdk.scrub import Scrubber
    from qmon_sdk.settings import Settings
    from qmon_sdk.stats import Books

    from .byte_rings import Waiting
    from .delivery import Delivery
    from .lanes import Lane
    from .ring import Ring
    from .rows import Rows

ROWS_PER_FRAME = 1024
"""Rows one block takes: its bytes stay below what a unix datagram can carry."""
PLAIN_ROWS_PER_FRAME = 2 * ROWS_PER_FRAME
"""The same of spans of which nothing is said: they take the half of it."""

MOST_UNSENT = flight.NOTES_BYTES // 3
"""Bytes of signals that wait, before they would push each other out of the notes."""
_MOST_KEPT_BYTES = _MOST_JOINED_BYTES = 1 << 16
_NO_LEDGER = pack(None)
_ONE = {kind: {kind: 1} for kind in SIGNALS}  # one to a kind: a message held is small enough


class Parts(Record):
    """What a recorder works with."""

    settings: Settings = None  # type: ignore[assignment]
    books: Books = None  # type: ignore[assignment]
    scrubber: Scrubber = None  # type: ignore[assignment]
    metrics: Fold = None  # type: ignore[assignment]
    sampler: Sampler = None  # type: ignore[assignment]
    delivery: Delivery = None  # type: ignore[assignment]


class Joined:
    """Blocks of a frame to come; rows that are in it stay in their lanes until it is held."""

    __slots__ = ("blocks", "bytes", "counts", "logged", "rows")

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.bytes = 0
        self.counts: dict[str, int] = {}
        self.logged = 0
        self.rows: list[tuple[Rows, Lane]] = []


class Outgoing:
    """Writes frames in the name of one process; `begin` makes it another's, after a fork."""

    def __init__(self, parts: Parts) -> None:
        self._settings = parts.settings
        self._books = parts.books
        self._scrubber = parts.scrubber
        self._metrics = parts.metrics
        self._delivery = parts.delivery
        self.begin()

    def begin(self) -> None:
        """Speak for the process that runs this."""
        self.process = os.urandom(16)
        self._told: Ledger | None = None
        self._joined = Joined()
        self.resource = pack(list(_resource(self._settings)))
        self._delivery.begin(self.process)

    def extras(self, ring: Ring) -> Extras:
        """Make the place where attributes wait for their rows to be sent."""
        # What the application's hook has not seen yet must not be read by anybody.
        seen = ring.is_shared and self._settings.before_send_span is None
        return Extras(self._scrubber.labels, ring.notes if seen else None)

    def events(self, ring: Ring, waiting: list[Waiting]) -> Any:
        """Make what keeps plain events in one step, unless the application wants to see them."""
        if self._settings.before_send is not None:
            return None
        return quick_events(
            ring.notes,
            waiting,
            self._scrubber,
            most=ROWS_PER_FRAME,
            most_bytes=MOST_UNSENT,
        )

    def signal(self, signal: Signal) -> None:
        """Send one signal in a frame of its own."""
        kind = kind_of(signal)
        self._books.captured(kind)
        # A single row has every column constant, and a constant is written as it is.
        self._send([pack((kind, 1, signal))], _ONE[kind])

    def kept(self, waiting: list[Waiting]) -> None:
        """Send what has waited, in parts that every way to the agent can carry."""
        while waiting:
            part = waiting[:ROWS_PER_FRAME]
            positions, sizes, signals = zip(*part, strict=True)
            if sum(sizes) > _MOST_KEPT_BYTES:
                fitting = bisect_right(list(accumulate(sizes)), _MOST_KEPT_BYTES) or 1
                positions, signals = positions[:fitting], signals[:fitting]
            last = max(positions)
            self._kept(signals, logged=last and last + 1)
            del waiting[: len(signals)]

    def _kept(self, signals: tuple[Signal | bytes, ...], *, logged: int) -> None:
        """Send signals of several kinds in one frame: then none of their notes is news any more."""
        parted = by_kind(signals)
        counts = {kind: len(rows) for kind, rows in parted.items()}
        for kind, n in counts.items():
            self._books.captured(kind, n)
        try:
            blocks = [packed_block(kind, rows) for kind, rows in parted.items()]
            self._join(blocks, counts, logged=logged)
        except Exception as error:  # noqa: BLE001 - the rest has to go out
            for kind, n in counts.items():
                self._lost(kind, n, error)

    def signals(self, kind: str, signals: list[Any]) -> None:
        """Send signals of one kind."""
        self._books.captured(kind, len(signals))
        for start in range(0, len(signals), ROWS_PER_FRAME):
            part = signals[start : start + ROWS_PER_FRAME]
            try:
                self._block(block_of(kind, part))
            except Exception as error:  # noqa: BLE001 - the rest has to go out
                self._lost(kind, len(part), error)

    def spans(self, rows: Rows, lane: Lane) -> None:
        """Send finished spans of a lane, which keeps them until they are in a frame."""
        self._books.captured("span", rows.count)
        try:
            self._fold_durations(rows)
            hook, ring = self._settings.before_send_span, lane.ring
            block = span_block(rows, ring.clock, ring.extras, packed=hook is None)
            self._block(block if hook is None else self._filtered(block, hook))
        except Exception as error:  # noqa: BLE001 - the rest has to go out
            self._lost("span", rows.count, error)
        self._joined.rows.append((rows, lane))

    def cut_off(self, spans: list[Span]) -> None:
        """Send spans that were open when recording ended."""
        hook = self._settings.before_send_span
        if seen := spans if hook is None else self._seen(spans, hook):
            self.signals("span", seen)

    def missing_spans(self, count: int, reason: str) -> None:
        """Account for spans that were left out."""
        if count:
            self._books.captured("span", count)
            self._books.dropped("span", reason, count)

    def ledger(self) -> None:
        """Tell the agent the books, if they say anything new."""
        ledger = self._books.ledger()
        if ledger != self._told:
            self._told = ledger
            # What is in the frame to come is counted when that is held.
            self._delivery.tell(ledger, unsent=self._joined.counts)
            self.finish(ledger=pack(list(ledger)))

    def finish(self, ledger: bytes = _NO_LEDGER) -> None:
        """Send what was joined, if anything: a frame costs what hundreds of its spans do."""
        joined, self._joined = self._joined, Joined()
        try:
            if joined.blocks or ledger is not _NO_LEDGER:
                self._send(joined.blocks, joined.counts, ledger=ledger, logged=joined.logged)
        finally:
            for rows, lane in joined.rows:
                rows.give_up(lane)

    def _fold_durations(self, rows: Rows) -> None:
        measured = [site.metric and f"{site.name}.duration" for site in rows.sites()]
        if not any(measured):
            return
        for place, duration in rows.durations():
            if name := measured[place]:
                self._metrics.distribution(name, duration / 1e9, unit="s")

    def _filtered(self, block: Block, hook: Callable[[Any], Any]) -> Block:
        """Let the application see each span, for the few that want to."""
        return block_of(block.kind, self._seen(rows_of(block), hook, counted=True))

    def _seen(
        self, spans: list[Any], hook: Callable[[Any], Any], *, counted: bool = False
    ) -> list[Any]:
        from qmon_sdk.screening import screened

        seen = [screened(hook, span, self._books, counted=counted) for span in spans]
        return [span for span in seen if span is not None]

    def _lost(self, kind: str, count: int, error: Exception) -> None:
        """Account for what could not be written, by a fault of ours or of the application's."""
        self._books.dropped(kind, "internal_error", count)
        failed(f"send {kind}", error)

    def _block(self, block: Block) -> None:
        if block.rows:
            self._join([pack_block(block)], {block.kind: block.rows})

    def _join(self, blocks: list[bytes], counts: dict[str, int], *, logged: int = 0) -> None:
        """Put blocks into the frame to come, unless that is large enough without."""
        size = sum(map(len, blocks))
        if self._joined.bytes and self._joined.bytes + size > _MOST_JOINED_BYTES:
            self.finish()
        joined = self._joined
        joined.blocks += blocks
        joined.bytes += size
        joined.logged = max(joined.logged, logged)
        for kind, n in counts.items():
            joined.counts[kind] = joined.counts.get(kind, 0) + n

    def _send(
        self,
        blocks: list[bytes],
        counts: dict[str, int],
        *,
        ledger: bytes = _NO_LEDGER,
        logged: int = 0,
    ) -> None:
        sequence = self._delivery.next_sequence()
        head = (self.process, sequence, time_ns())
        try:
            frame = assemble(head=head, resource=self.resource, blocks=blocks, ledger=ledger)
        except OversizeError as error:
            for kind, n in counts.items():
                self._books.dropped(kind, error.reason, n)
            return
        self._delivery.deliver(sequence, frame, counts, logged=logged)


def _resource(settings: Settings) -> Resource:
    return Resource(
        service=settings.service,
        release=settings.release,
        environment=settings.environment,
        host=settings.host,
        pid=os.getpid(),
        started=time_ns(),
        sdk="qmon.python",
        attributes=dict(settings.resource),
    )
