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
# Samplers are spread over the second; a frame for each would cost more than the sampling.
_GATHER_S = 0.5


class HostProcess:
    """Numbers its frames and keeps a ledger, as the SDK does in an application."""

    def __init__(self, intake: Intake, *, clock: Clock) -> None:
        self._intake = intake
        self._clock = clock
        self._process = os.urandom(16)
        self._sequence = 0
        self._captured = 0
        self._dropped = 0
        self._gathered: list[Point] = []
        self._resource = Resource(
            service=SERVICE, host=platform.node(), pid=os.getpid(), started=clock.now(), sdk="agent"
        )

    def submit(self, points: Sequence[Point]) -> None:
        """Takes what one sampler measured; called on the loop."""
        if points and not self._gathered:
            asyncio.get_running_loop().call_later(_GATHER_S, self.flush)
        self._captured += len(points)
        self._gathered += points

    def flush(self) -> None:
        """Sends what was gathered; what the agent itself refuses is booked as dropped."""
        points, self._gathered = self._gathered, []
        if not points:
            return
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
