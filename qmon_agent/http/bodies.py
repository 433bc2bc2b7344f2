"""Request bodies, read whole within limits: in bytes as sent, in bytes unpacked, in time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from qmon_agent.http.refusals import Message, Receive, Refusal
from qmon_agent.ingest.entrance import Entrance
from qmon_agent.ingest.outcome import Peer
from qmon_agent.ingest.pipeline import Intake
from qmon_agent.ingest.shares import NOBODY

USUAL = Entrance(paths=())

# zlib's way of saying "gzip or zlib, whichever it is".
_ANY_WINDOW = 32 + zlib.MAX_WBITS
# How often larger than as sent: real telemetry stays below 30, a bomb is at a thousand.
_MOST_RATIO = 200
_SMALL = 64 * 1024


class Bodies:
    """Reads bodies; all that are under way, or not answered yet, share one budget."""

    def __init__(self, intake: Intake, *, max_bytes: int, timeout_s: float) -> None:
        self.turned_away = intake.turned_away
        self._intake = intake
        self._shares = intake.admission.bodies
        self._max_bytes = max_bytes
        self._largest = intake.admission.workroom.largest
        self._timeout_s = timeout_s
        self._unpacking = asyncio.Lock()

    @asynccontextmanager
    async def read(
        self,
        headers: Mapping[str, str],
        receive: Receive,
        *,
        peer: Peer = NOBODY,
        entrance: Entrance = USUAL,
    ) -> AsyncIterator[bytes]:
        """The body, unpacked but for what its entrance unpacks; Refusal 400, 408, 413, 415, 429.

        It is in the share of its sender until it is left.
        """
        most = min(entrance.max_body_bytes or self._max_bytes, self._largest)
        declared = _checked_length(headers.get("content-length", "0"), most)
        packing = headers.get("content-encoding", "identity").lower()
        if packing not in {"identity", "gzip", "deflate", *entrance.packings}:
            raise Refusal(415, f"content-encoding {packing[:40]!r} is not known")
        share = _Share(self._intake, peer)
        share.check(declared)
        try:
            body = await self._collected(receive, most, share)
            if packing in {"gzip", "deflate"}:
                body = await self._unpacked(body, most)
                share.take(len(body))
            yield body
        finally:
            share.give_back()

    async def _collected(self, receive: Receive, most: int, share: _Share) -> bytes:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await _collect(receive, most, share)
        except TimeoutError:
            raise Refusal(408, "the body did not come in time") from None

    async def _unpacked(self, body: bytes, most: int) -> bytes:
        if len(body) < _SMALL:
            return _unpacked(body, most)
        # One at a time: what is unpacked is in no budget until somebody has looked at it.
        async with self._unpacking:
            return await asyncio.to_thread(_unpacked, body, most)


class _Share:
    """What one body holds of the budget."""

    def __init__(self, intake: Intake, peer: Peer) -> None:
        self._intake = intake
        self._shares = intake.admission.bodies
        self._peer = peer
        self._size = 0

    def check(self, size: int) -> None:
        """Refusal 429 if there is no room for so much more."""
        if self._shares.is_full_for(self._peer, size):
            self._intake.refuse(self._peer)
            raise Refusal(429, "too much under way", retry_after="1")

    def take(self, size: int) -> None:
        self.check(size)
        self._shares.hold(size, self._peer)
        self._size += size

    def give_back(self) -> None:
        self._shares.release(self._size, self._peer)
        self._size = 0


async def _collect(receive: Receive, most: int, share: _Share) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "the sender left")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise Refusal(413, f"a body has at most {most} bytes")
        if part:
            share.take(len(part))
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _checked_length(declared: str, most: int) -> int:
    if not declared.isdigit():
        raise Refusal(400, "content-length is no number")
    if int(declared) > most:
        raise Refusal(413, f"a body has at most {most} bytes")
    return int(declared)


def _unpacked(body: bytes, most: int) -> bytes:
    limit = min(most, max(_SMALL, len(body) * _MOST_RATIO))
    unpacker = zlib.decompressobj(_ANY_WINDOW)
    try:
        unpacked = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise Refusal(400, "the body is not packed as it says") from None
    if len(unpacked) > limit:
        raise Refusal(413, f"a body unpacks to at most {limit} bytes")
    if not unpacker.eof:
        raise Refusal(400, "the packed body ends too early")
    return unpacked


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body which has been read already, then what the server says."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return messages.pop() if messages else await receive()

    return receiving
