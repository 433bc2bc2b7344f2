"""Request bodies, read whole within limits: in bytes as sent, in bytes unpacked, in time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from typing import Any

from qmon_agent.http.refusals import Message, Receive, Refusal
from qmon_agent.ingest.entrance import Entrance

USUAL = Entrance(paths=())

# zlib's way of saying "gzip or zlib, whichever it is".
_ANY_WINDOW = 32 + zlib.MAX_WBITS
# How often larger than as sent: real telemetry stays below 30, a bomb is at a thousand.
_MOST_RATIO = 200
_SMALL = 64 * 1024


class Bodies:
    """Reads bodies; all that are under way together stay within one budget."""

    def __init__(self, *, max_bytes: int, budget_bytes: int, timeout_s: float) -> None:
        self._max_bytes = max_bytes
        self._budget = budget_bytes
        self._timeout_s = timeout_s
        self._held = 0
        self._unpacking = asyncio.Lock()

    async def read(
        self, headers: Mapping[str, str], receive: Receive, *, entrance: Entrance = USUAL
    ) -> bytes:
        """The body, unpacked but for what its entrance unpacks; Refusal 400, 408, 413, 415, 429."""
        most = entrance.max_body_bytes or self._max_bytes
        _check_length(headers.get("content-length", "0"), most)
        packing = headers.get("content-encoding", "identity").lower()
        if packing not in {"identity", "gzip", "deflate", *entrance.packings}:
            raise Refusal(415, f"content-encoding {packing[:40]!r} is not known")
        try:
            async with asyncio.timeout(self._timeout_s):
                body = await self._collect(receive, most)
        except TimeoutError:
            raise Refusal(408, "the body did not come in time") from None
        if packing not in {"gzip", "deflate"}:
            return body
        if len(body) < _SMALL:
            return _unpacked(body, most)
        # One at a time: what is unpacked is in no budget until somebody has looked at it.
        async with self._unpacking:
            return await asyncio.to_thread(_unpacked, body, most)

    async def _collect(self, receive: Receive, most: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refusal(400, "the sender left")
                part = message.get("body", b"")
                size += len(part)
                self._held += len(part)
                if size > most:
                    raise Refusal(413, f"a body has at most {most} bytes")
                if self._held > max(self._budget, most):
                    raise Refusal(429, "too much under way", retry_after="1")
                parts.append(part)
                if not message.get("more_body"):
                    return b"".join(parts)
        finally:
            self._held -= size


def _check_length(declared: str, most: int) -> None:
    if not declared.isdigit():
        raise Refusal(400, "content-length is no number")
    if int(declared) > most:
        raise Refusal(413, f"a body has at most {most} bytes")


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
