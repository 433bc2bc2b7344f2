"""Sentry's envelope: a line of headers, then items, each a line of headers and a payload.

A payload is as long as its header's `length` says; without one it ends with its line. Headers and
item types nobody knows are kept as they came: they are the business of whoever reads the items.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from qmon_agent.ingest.loose import NotJsonError, decoded
from qmon_sdk.protocol.errors import WireError

MOST_ITEMS = 2_000
MAX_HEADER_BYTES = 64 * 1024
_BLANK_LINES = re.compile(rb"\n*")


class EnvelopeError(WireError):
    """Bytes that are no envelope, or one that contradicts itself."""

    reason = "envelope"


class Item(msgspec.Struct, frozen=True):
    """One item as it came."""

    headers: dict[str, Any]
    payload: bytes

    @property
    def type(self) -> str:
        found = self.headers.get("type")
        return found if isinstance(found, str) else ""


class Envelope(msgspec.Struct, frozen=True):
    """One message of a client: its headers, and its items in order."""

    headers: dict[str, Any]
    items: list[Item]


def read_envelope(body: bytes) -> Envelope:
    """Read all of it; raises EnvelopeError."""
    headers, at = _headers(body, 0)
    return Envelope(headers, [*_items(body, at)])


def headers_of(body: bytes) -> dict[str, Any]:
    """Read no more than the first line; raises EnvelopeError."""
    return _headers(body, 0)[0]


def without_headers(body: bytes) -> bytes:
    """The items, as bytes: what stays the same when a client sends it again."""
    return body[_end_of_line(body, 0) :]


def _items(body: bytes, at: int) -> Iterator[Item]:
    count = 0
    while (at := _after_blank_lines(body, at)) < len(body):
        count += 1
        if count > MOST_ITEMS:
            raise EnvelopeError(f"more than {MOST_ITEMS} items")
        headers, start = _headers(body, at)
        end = _end_of_payload(body, start, headers)
        yield Item(headers, body[start:end])
        at = end


def _headers(body: bytes, at: int) -> tuple[dict[str, Any], int]:
    end = _end_of_line(body, at)
    if end - at > MAX_HEADER_BYTES:
        raise EnvelopeError(f"a line of headers has at most {MAX_HEADER_BYTES} bytes")
    try:
        headers = decoded(body[at:end])
    except NotJsonError as problem:
        raise EnvelopeError(f"headers at byte {at}: {problem}") from None
    if not isinstance(headers, dict):
        raise EnvelopeError(f"headers at byte {at} are no object")
    return headers, min(end + 1, len(body))


def _end_of_payload(body: bytes, start: int, headers: dict[str, Any]) -> int:
    length = headers.get("length")
    if length is None:
        return _end_of_line(body, start)
    if type(length) is not int or length < 0:
        raise EnvelopeError(f"a length of {str(length)[:40]!r}")
    end = start + length
    if end > len(body):
        raise EnvelopeError(f"a length of {length}, and {len(body) - start} bytes are there")
    if end < len(body) and body[end : end + 1] != b"\n":
        raise EnvelopeError(f"a length of {length}, and the payload goes on")
    return end


def _end_of_line(body: bytes, at: int) -> int:
    end = body.find(b"\n", at)
    return len(body) if end < 0 else end


def _after_blank_lines(body: bytes, at: int) -> int:
    found = _BLANK_LINES.match(body, at)
    return found.end() if found else at
