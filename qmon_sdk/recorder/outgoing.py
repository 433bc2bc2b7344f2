"""Frames of this process: what is recorded is written, counted, numbered and handed to delivery."""

from __future__ import annotations

import os
from time import time_ns

from qmon_sdk.client import failed
from qmon_sdk.protocol.columns import block_of, rows_of
from qmon_sdk.protocol.errors import OversizeError
from qmon_sdk.protocol.frames import Resource, assemble, pack, pack_block
from qmon_sdk.protocol.records import Record
from qmon_sdk.protocol.signals import SIGNALS, kind_of

from .rows import span_block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qmon_sdk.metrics import Fold
    from qmon_sdk.protocol.columns import Block
    from qmon_sdk.protocol.frames import Ledger
    from qmon_sdk.protocol.signals import Signal
    from qmon_sdk.sampling import Sampler
    from qmon_sdk.scrub import Scrubber
    from qmon_sdk.settings import Settings
    from qmon_sdk.stats import Books

    from .delivery import Delivery

ROWS_PER_FRAME = 1024
"""Rows one frame takes: its bytes stay below what a unix datagram can carry."""

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
        self._resource = pack(list(_resource(self._settings)))
        self._delivery.begin(self.process)

    def signal(self, signal: Signal) -> None:
        """Send one signal in a frame of its own."""
        kind = kind_of(signal)
        self._books.captured(kind)
        # A single row has every column constant, and a constant is written as it is.
        self._send([pack((kind, 1, signal))], _ONE[kind])

    def signals(self, kind: str, signals: list[Any]) -> None:
        """Send signals of one kind."""
        self._books.captured(kind, len(signals))
        for start in range(0, len(signals), ROWS_PER_FRAME):
            part = signals[start : start + ROWS_PER_FRAME]
            try:
                self._block(block_of(kind, part))
            except Exception as error:  # noqa: BLE001 - the rest has to go out
                self._lost(kind, len(part), error)

    def spans(self, columns: list[list[Any]]) -> None:
        """Send finished spans, given as the columns of their rows."""
        self._books.captured("span", len(columns[0]))
        try:
            self._fold_durations(columns)
            block = span_block(columns, self._scrubber.labels)
            hook = self._settings.before_send_span
            self._block(block if hook is None else self._filtered(block, hook))
        except Exception as error:  # noqa: BLE001 - the rest has to go out
            self._lost("span", len(columns[0]), error)

    def wasted_spans(self, count: int) -> None:
        """Account for spans that sampling left out."""
        if count:
            self._books.captured("span", count)
            self._books.dropped("span", "sample_rate", count)

    def ledger(self) -> None:
        """Tell the agent the books, if they say anything new."""
        ledger = self._books.ledger()
        if ledger != self._told:
            self._told = ledger
            self._send([], {}, ledger=pack(list(ledger)))

    def _fold_durations(self, columns: list[list[Any]]) -> None:
        sites, durations = columns[0], columns[8]
        if not any(site.metric for site in set(sites)):
            return
        for site, duration in zip(sites, durations, strict=True):
            if site.metric:
                self._metrics.distribution(f"{site.name}.duration", duration / 1e9, unit="s")

    def _filtered(self, block: Block, hook: Callable[[Any], Any]) -> Block:
        """Let the application see each span, for the few that want to."""
        rows = rows_of(block)
        kept = [seen for row in rows if (seen := hook(row)) is not None]
        self._books.dropped(block.kind, "before_send", len(rows) - len(kept))
        return block_of(block.kind, kept)

    def _lost(self, kind: str, count: int, error: Exception) -> None:
        """Account for what could not be written, by a fault of ours or of the application's."""
        self._books.dropped(kind, "internal_error", count)
        failed(f"send {kind}", error)

    def _block(self, block: Block) -> None:
        if block.rows:
            self._send([pack_block(block)], {block.kind: block.rows})

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
