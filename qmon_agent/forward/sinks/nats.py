"""NATS JetStream, from which any number of gateway agents take; needs `qmon[nats]`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from qmon_agent.domain.bounds import Seconds
from qmon_agent.forward.batch import Batch
from qmon_agent.forward.pace import Pace
from qmon_agent.ingest.nats_place import NatsPlace
from qmon_sdk.protocol.frames import Frame, encode_frame

from . import Delivery
from ._stream import Stream, Wanted, found_or_made

if TYPE_CHECKING:
    from nats.aio.client import Client

_AT_ONCE = 64
# The server asks every two minutes whether we are there; between batches nobody answers it.
_FRESH_S = 60.0


class NatsSink(NatsPlace, kw_only=True, forbid_unknown_fields=True):
    """Each frame is a message, whose `Nats-Msg-Id` is its process and sequence: kept once.

    A batch has arrived when the stream has acknowledged every message of it.
    """

    stream: str = "qmon"
    """Name of the stream that is made where none keeps the subject yet."""
    replicas: Annotated[int, Meta(ge=0, le=5)] = 0
    """On how many servers it is made; 0 means three in a cluster, and one without."""
    max_bytes: Annotated[int, Meta(ge=0)] = 0
    """How much it keeps when it is made, then frames wait here; 0 means what its servers allow."""
    duplicate_window_s: Seconds = 600.0
    """How long it knows a frame again; told when it is made."""
    makes_stream: bool = True
    """Whether it is made at all; otherwise frames wait until somebody has made one."""
    # Servers elect a leader within seconds: who waits longer keeps others waiting.
    pace: ClassVar[Pace] = Pace(open_s=5.0, most_s=5.0)
    _runner: Any = None
    _client: Any = None
    _used: float = 0.0
    _kept_by: Stream | None = None
    _batch: str = ""
    _arrived: set[int] = msgspec.field(default_factory=set)

    def send(self, batch: Batch) -> Delivery:
        """Sent again, what the stream has it answers as a duplicate."""
        if self._runner is None:
            self._runner = asyncio.Runner()
        try:
            delivery: Delivery = self._runner.run(self._send(batch))
        except (OSError, TimeoutError) as error:
            delivery = Delivery(outcome="retry", detail=f"{type(error).__name__}: {error}")
        if delivery.outcome == "retry":
            # Whatever is wrong with this connection, and with its loop: the next has its own.
            with suppress(Exception):
                self.close()
        self._used = time.monotonic()
        return delivery

    def close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is None:
            return
        try:
            runner.run(self._leave())
        finally:
            self._client = None
            runner.close()

    def describe(self) -> Mapping[str, Any]:
        told = {"servers": self.shown_servers, "subject": self.subject}
        return told | (self._kept_by.describe() if self._kept_by else {})

    async def _send(self, batch: Batch) -> Delivery:
        import nats.errors

        try:
            client = await self._connected()
            return await self._publish(client, batch)
        except nats.errors.Error as error:
            why = str(error) or type(error).__name__
            return Delivery(outcome="retry", detail=f"NATS: {why}")

    async def _publish(self, client: Client, batch: Batch) -> Delivery:
        """What has arrived is known while the rest waits, longer than the stream may know it."""
        if batch.id != self._batch:
            self._batch, self._arrived = batch.id, set()
        payloads = batch.payloads or tuple(map(encode_frame, batch.frames))
        both = [*zip(batch.frames, payloads, strict=True)]
        fitting = [at for at, (_, data) in enumerate(both) if len(data) < client.max_payload]
        left = [at for at in fitting if at not in self._arrived]
        stream = client.jetstream(timeout=self.timeout_s)

        async def put(at: int) -> None:
            frame, data = both[at]
            await stream.publish(self.subject, data, headers=_headers(batch, frame))
            self._arrived.add(at)

        for start in range(0, len(left), _AT_ONCE):
            putting = map(put, left[start : start + _AT_ONCE])
            for problem in await asyncio.gather(*putting, return_exceptions=True):
                if problem is not None:
                    raise problem
        rejected = _signals(both) - _signals([both[at] for at in fitting])
        too_large = len(fitting) < len(both)
        why = "a frame larger than the server's max_payload" if too_large else ""
        return Delivery(outcome="delivered", rejected=rejected, detail=why)

    async def _connected(self) -> Client:
        from nats.aio.client import Client

        if self._client is not None and time.monotonic() - self._used > _FRESH_S:
            await self._leave()
        if self._client is None:
            # Known before it is connected: one that fails on the way has a socket to be closed.
            self._client = Client()
            # Left to itself, it would try one server for two minutes.
            async with asyncio.timeout(len(self.servers) * self.timeout_s):
                await self.connect(self._client)
            if self.makes_stream:
                self._kept_by = await found_or_made(self._client, self._wanted(), self.timeout_s)
        client: Client = self._client
        return client

    def _wanted(self) -> Wanted:
        return Wanted(
            subject=self.subject,
            name=self.stream,
            replicas=self.replicas,
            max_bytes=self.max_bytes,
            duplicate_window_s=self.duplicate_window_s,
        )

    async def _leave(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            async with asyncio.timeout(self.timeout_s):
                await client.close()
                await asyncio.sleep(0)  # in which the loop closes the socket


def _headers(batch: Batch, frame: Frame) -> dict[str, str]:
    return {
        "Nats-Msg-Id": f"{frame.process.hex()}-{frame.sequence}",
        "Qmon-Batch": batch.id,
    }


def _signals(many: list[tuple[Frame, bytes]]) -> int:
    return Batch(id="", frames=tuple(frame for frame, _ in many)).signals
