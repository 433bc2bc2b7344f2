"""This host as one more process that sends: sampled points become frames like anybody's."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Sequence

from qmon_agent.domain.clock import Clock
from qmon_agent.ingest.outcome import Outcome, Peer
from qmon_agent.ingest.pipeline import Intake
from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import Frame, Ledger, Resource, encode_frame
from qmon_sdk.protocol.signals import Point

SERVICE = "host"
_PEER = Peer(name="host")


class HostProcess:
    """Numbers its frames and keeps a ledger, as the SDK does in an application."""

    def __init__(self, intake: Intake, *, clock: Clock) -> None:
        self._intake = intake
        self._clock = clock
        self._process = os.urandom(16)
        self._sequence = 0
        self._captured = 0
        self._dropped = 0
        self._resource = Resource(
            service=SERVICE, host=platform.node(), pid=os.getpid(), started=clock.now(), sdk="agent"
        )

    def submit(self, points: Sequence[Point]) -> None:
        """Sends one round of samples as one frame; what the agent refuses is booked as dropped."""
        self._captured += len(points)
        if self._intake.admission.is_full:
            self._dropped += len(points)
            return
        self._sequence += 1
        frame = Frame(
            process=self._process,
            sequence=self._sequence,
            sent=self._clock.now(),
            resource=self._resource,
            blocks=(block_of("point", points),),
            ledger=self._ledger(),
        )
        answer = self._intake.take(encode_frame(frame), _PEER)
        answer.add_done_callback(lambda done: self._settled(done, len(points)))

    def _ledger(self) -> Ledger:
        dropped = {"point/agent_full": self._dropped} if self._dropped else {}
        return Ledger(captured={"point": self._captured}, dropped=dropped)

    def _settled(self, answer: asyncio.Future[Outcome], rows: int) -> None:
        if answer.cancelled() or not answer.result().acknowledged:
            self._dropped += rows
