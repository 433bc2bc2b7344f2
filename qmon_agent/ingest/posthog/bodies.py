"""The forms a body of PostHog's clients has: plain, gzip without saying so, base64 in a form."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from qmon_agent.ingest.loose import decoded, mapping, mappings, sequence, text
from qmon_sdk.protocol.errors import OversizeError, WireError

_GZIP = b"\x1f\x8b"
_ANY_WINDOW = 32 + zlib.MAX_WBITS


class BodyError(WireError):
    """A body in none of the forms."""

    reason = "body"


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent, in one form whatever the client."""

    token: str
    events: list[Any]
    sent_at: Any = None


def read_body(body: bytes, query: Mapping[str, str], *, max_bytes: int) -> Body:
    """Read a body in whatever form; raises BodyError, NotJsonError or OversizeError."""
    plain = _plain(body, max_bytes)
    if not plain.strip():
        return Body(token="", events=[])
    said = decoded(plain)
    if isinstance(said, list):
        return Body(token=_token_of({}, said), events=said, sent_at=_sent(query))
    if not isinstance(said, dict):
        raise BodyError("the body is neither an event nor a list of them")
    events = sequence(said.get("batch")) if "batch" in said else [said]
    sent_at = said.get("sent_at") or said.get("sentAt") or _sent(query)
    return Body(token=_token_of(said, events), events=events, sent_at=sent_at)


def _plain(body: bytes, max_bytes: int) -> bytes:
    """Unpacked as often as it was packed, which is twice at most."""
    if body.startswith(_GZIP):
        return _unzipped(body, max_bytes)
    if body.startswith(b"data="):
        packed = parse_qs(body.decode("latin-1")).get("data", [""])[0]
        return _plain(_unbased(packed.replace(" ", "+")), max_bytes)
    return body if body[:1] in {b"{", b"["} or not body.strip() else _or_based(body, max_bytes)


def _or_based(body: bytes, max_bytes: int) -> bytes:
    stripped = body.strip()
    if stripped[:1] in {b"{", b"["}:
        return stripped
    plain = _unbased(stripped.decode("latin-1"))
    return _unzipped(plain, max_bytes) if plain.startswith(_GZIP) else plain


def _unbased(packed: str) -> bytes:
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BodyError("neither JSON, nor gzip, nor base64") from None


def _unzipped(body: bytes, max_bytes: int) -> bytes:
    unpacker = zlib.decompressobj(_ANY_WINDOW)
    try:
        plain = unpacker.decompress(body, max_bytes + 1)
    except zlib.error:
        raise BodyError("it begins like gzip, and is none") from None
    if len(plain) > max_bytes:
        raise OversizeError(f"a body unpacks to at most {max_bytes} bytes")
    if not unpacker.eof:
        raise BodyError("the packed body ends too early")
    return plain


def _token_of(said: Mapping[str, Any], events: list[Any]) -> str:
    """Beside the events, or in the properties of the first of them."""
    if found := said.get("api_key") or said.get("token"):
        return text(found)
    first = next(iter(mappings(events)), {})
    own = first.get("api_key") or first.get("token")
    return text(own or mapping(first.get("properties")).get("token"))


def _sent(query: Mapping[str, str]) -> float | None:
    """When a browser sent it: milliseconds in the query string."""
    told = query.get("_", "")
    return int(told) / 1000 if told.isdigit() and len(told) <= 14 else None  # noqa: PLR2004
