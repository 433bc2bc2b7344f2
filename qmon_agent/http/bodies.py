"""Request bodies, read whole within limits: in bytes as sent, in bytes unpacked, in time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Collection, Mapping
from typing import Any

from qmon_agent.http.refusals import Message, Receive, Refusal

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

    async def read(
        self, headers: Mapping[str, str], receive: Receive, *, as_they_are: Collection[str] = ()
    ) -> bytes:
        """The body, unpacked but for packings `as_they_are`; Refusal 400, 408, 413, 415, or 429."""
        self._check_length(headers.get("content-length", "0"))
        packing = headers.get("content-encoding", "identity").lower()
        if packing not in {"identity", "gzip", "deflate", *as_they_are}:
            raise Refusal(415, f"content-encoding {packing[:40]!r} is not known")
        try:
            async with asyncio.timeout(self._timeout_s):
                body = await self._collect(receive)
        except TimeoutError:
            raise Refusal(408, "the body did not come in time") from None
        return self._unpacked(body) if packing in {"gzip", "deflate"} else body

    def _check_length(self, declared: str) -> None:
        if not declared.isdigit():
            raise Refusal(400, "content-length is no number")
        if int(declared) > self._max_bytes:
            raise Refusal(413, f"a body has at most {self._max_bytes} bytes")

    async def _collect(self, receive: Receive) -> bytes:
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
                if size > self._max_bytes:
                    raise Refusal(413, f"a body has at most {self._max_bytes} bytes")
                if self._held > self._budget:
                    raise Refusal(429, "too much under way", retry_after="1")
                parts.append(part)
                if not message.get("more_body"):
                    return b"".join(parts)
        finally:
            self._held -= size

    def _unpacked(self, body: bytes) -> bytes:
        limit = min(self._max_bytes, max(_SMALL, len(body) * _MOST_RATIO))
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
