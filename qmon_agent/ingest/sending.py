"""A source that sends for others: numbers its frames and keeps a ledger, as the SDK does."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence

from qmon_agent.ingest.outcome import Fate, Outcome, Peer
from qmon_agent.ingest.pipeline import Intake
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.errors import OversizeError
from qmon_sdk.protocol.frames import Frame, Head, Ledger, Resource, encode_frame
from qmon_sdk.protocol.signals import Signal, kind_of

_ON_THE_LOOP = 500  # signals whose encoding takes no longer than the loop may wait
_AT_ONCE = 10_000  # signals of one frame


class Sending:
    """Frames of one source since it was started: what does not get on disk is in the ledger."""

    def __init__(self, intake: Intake, *, name: str) -> None:
        """`name` is the source's: what it sends is counted as its own."""
        self._intake = intake
        self._peer = Peer(name=name)
        self._process = os.urandom(16)
        self._sequence = 0
        self._captured: dict[str, int] = {}
        self._dropped: dict[str, int] = {}

    @property
    def may_send(self) -> bool:
        """Whether there is room; who folds goes on folding while there is none."""
        return not self._intake.admission.is_full

    @property
    def dropped(self) -> Mapping[str, int]:
        return self._dropped

    async def send(self, resource: Resource, signals: Sequence[Signal]) -> Outcome:
        """Waits until all of them are on disk, or are not; cuts what does not fit one frame."""
        outcome = Outcome(fate=Fate.STORED)
        for start in range(0, len(signals), _AT_ONCE):
            one = await self._send(resource, signals[start : start + _AT_ONCE])
            if not one.acknowledged:
                outcome = one
        return outcome

    def drop(self, signals: Sequence[Signal], reason: str) -> None:
        """Books what was captured, and is not sent."""
        self._capture(signals)
        self._book_dropped(signals, reason)

    async def _send(self, resource: Resource, signals: Sequence[Signal]) -> Outcome:
        self._capture(signals)
        return await self._send_captured(resource, signals)

    async def _send_captured(self, resource: Resource, signals: Sequence[Signal]) -> Outcome:
        head = Head(process=self._process, sequence=self._next())
        frame = self._frame(head, resource)
        try:
            if len(signals) > _ON_THE_LOOP:
                encoded = await asyncio.to_thread(_encoded, frame, signals)
            else:
                encoded = _encoded(frame, signals)
        except OversizeError:
            return await self._send_halves(resource, signals)
        outcome = await self._intake.take_made(encoded, head, peer=self._peer)
        if not outcome.acknowledged:
            self._book_dropped(signals, "agent_full")
        return outcome

    async def _send_halves(self, resource: Resource, signals: Sequence[Signal]) -> Outcome:
        if len(signals) == 1:
            self._book_dropped(signals, "oversize")
            return Outcome(fate=Fate.REJECTED, reason="oversize")
        middle = len(signals) // 2
        first = await self._send_captured(resource, signals[:middle])
        second = await self._send_captured(resource, signals[middle:])
        return second if first.acknowledged else first

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _frame(self, head: Head, resource: Resource) -> Frame:
        return Frame(
            process=head.process,
            sequence=head.sequence,
            sent=time.time_ns(),
            resource=resource,
            ledger=Ledger(captured=dict(self._captured), dropped=dict(self._dropped)),
        )

    def _capture(self, signals: Sequence[Signal]) -> None:
        for kind, number in _by_kind(signals).items():
            self._captured[kind] = self._captured.get(kind, 0) + number

    def _book_dropped(self, signals: Sequence[Signal], reason: str) -> None:
        for kind, number in _by_kind(signals).items():
            key = f"{kind}/{reason}"
            self._dropped[key] = self._dropped.get(key, 0) + number


def _encoded(frame: Frame, signals: Sequence[Signal]) -> bytes:
    """The frame with its signals; columns and bytes are both made here, on a thread if need be."""
    return encode_frame(frame.replace(blocks=blocks_of(signals)))


def _by_kind(signals: Sequence[Signal]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for signal in signals:
        kind = kind_of(signal)
        counts[kind] = counts.get(kind, 0) + 1
    return counts
