"""Links that carry a right: one deed at one incident, until a moment, signed by a key of ours."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from secrets import token_bytes, token_hex
from typing import Literal

import msgspec

from .clock import SECOND

Deed = Literal["show", "chart", "ack", "mute_1h", "mute_24h"]
MUTES: dict[str, int] = {"mute_1h": 3_600, "mute_24h": 86_400}
"""For how many seconds each of them mutes."""
KEY_LASTS_NS = 30 * 86_400 * SECOND
"""After so long another key signs; what the one before has signed goes on being known."""
LONGEST = 600
"""Characters of a link's right; more is read by nobody."""
_PURPOSE = b"qmon link 1\0"
_MAC_BYTES = 20


class Grant(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a link permits. `channel` is whom it was sent to, as `slack:ops`; times in seconds."""

    deed: Deed
    incident: str
    channel: str
    until: int
    at: int = 0
    """When it was sent; a chart ends there."""
    group: str = ""
    """Of a message about a group: its name."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that signs, from a moment on; nanoseconds UTC."""

    id: str
    secret: bytes
    since: int


class _Sealed(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    key: str
    grant: Grant


def new_key(now: int) -> Key:
    return Key(id=token_hex(2), secret=token_bytes(32), since=now)


def turned(keys: Sequence[Key], now: int, *, ttl_ns: int) -> tuple[Key, ...]:
    """The keys as they ought to be now: the last one signs, and those before are known."""
    known = tuple(key for key in keys if now < key.since + KEY_LASTS_NS + ttl_ns)
    if known and known[-1].since <= now < known[-1].since + KEY_LASTS_NS:
        return known
    return (*known, new_key(now))


def seal(grant: Grant, key: Key) -> str:
    """The right as a text that fits into an address."""
    return _signed(msgspec.msgpack.encode(_Sealed(key=key.id, grant=grant)), key)


def unseal(text: str, keys: Sequence[Key]) -> Grant | None:
    """What a text permits, or permitted once; `None` for one that no key of ours has signed."""
    if len(text) > LONGEST or not text.isascii():
        return None
    payload = _bytes_of(text.partition(".")[0])
    try:
        sealed = msgspec.msgpack.decode(payload, type=_Sealed)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    # Every key is tried, and the whole text compared: there is one way to write it, and no hint.
    matches = [hmac.compare_digest(_signed(payload, key), text) for key in keys]
    known = [key.id == sealed.key for key in keys]
    return sealed.grant if any(map(all, zip(matches, known, strict=True))) else None


def _signed(payload: bytes, key: Key) -> str:
    mac = hmac.new(key.secret, _PURPOSE + payload, hashlib.sha256).digest()[:_MAC_BYTES]
    return f"{_text_of(payload)}.{_text_of(mac)}"


def _text_of(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _bytes_of(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
