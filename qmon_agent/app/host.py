"""The agent as a process that sends: what it samples and finds out, in frames like anybody's."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Sequence

from qmon_agent.domain.clock import Clock
from qmon_agent.ingest.outcome import Outcome, Peer
from qmon_agent.ingest.pipeline import Intake
from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import Frame, Head, Ledger, Resource, encode_frame
from qmon_sdk.protocol.signals import Signal

SERVICE = "host"
AGENT = "qmon-agent"  # what the agent says of itself
_PEER = Peer(name="host")


class OwnProcess:
    """Numbers its frames and keeps a ledger, as the SDK does in an application."""

    def __init__(
        self,
        intake: Intake,
        *,
        clock: Clock,
        kind: str = "point",
        service: str = SERVICE,
        environment: str = "",
    ) -> None:
        """`kind` is that of all signals it sends; `service` is whom they are about."""
        self._intake = intake
        self._clock = clock
        self._kind = kind
        self._process = os.urandom(16)
        self._sequence = 0
        self._captured = 0
        self._dropped = 0
        self._resource = Resource(
            service=service,
            environment=environment,
            host=platform.node(),
            pid=os.getpid(),
            started=clock.now(),
            sdk="agent",
        )

    def submit(self, signals: Sequence[Signal]) -> None:
        """Sends them as one frame; what the agent refuses is booked as dropped."""
        self._captured += len(signals)
        if self._intake.admission.is_full:
            self._dropped += len(signals)
            return
        self._sequence += 1
        frame = Frame(
            process=self._process,
            sequence=self._sequence,
            sent=self._clock.now(),
            resource=self._resource,
            blocks=(block_of(self._kind, signals),),
            ledger=self._ledger(),
        )
        head = Head(process=self._process, sequence=self._sequence)
        answer = self._intake.take_made(encode_frame(frame), head, peer=_PEER)
        answer.add_done_callback(lambda done: self._settled(done, len(signals)))

    def _ledger(self) -> Ledger:
        dropped = {f"{self._kind}/agent_full": self._dropped} if self._dropped else {}
        return Ledger(captured={self._kind: self._captured}, dropped=dropped)

    def _settled(self, answer: asyncio.Future[Outcome], rows: int) -> None:
        if answer.cancelled() or not answer.result().acknowledged:
            self._dropped += rows
