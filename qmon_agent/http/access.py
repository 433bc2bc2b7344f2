"""Who is asking, and what each role may do."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Protocol

COOKIE = "qmon_session"

# What a route may ask for; `open` asks for nothing.
ROLES = ("open", "ingest", "read", "operator", "admin")
# What a token's scope, or a signed-in person, may do.
GRANTS: Mapping[str, frozenset[str]] = {
    "ingest": frozenset({"ingest"}),
    "read": frozenset({"read"}),
    # Looks after what fires: no configuration, no tokens, no signals.
    "operator": frozenset({"read", "operator"}),
    "admin": frozenset({"ingest", "read", "operator", "admin"}),
}


class TokenScopes(Protocol):
    """What the gate needs of the state store: called on the loop, so from memory."""

    def __call__(self, token: str) -> str | None:
        """The scope of a token that is valid now."""


class Sessions:
    """People who followed a sign-in link; in memory, so a restart signs everybody out."""

    def __init__(
        self, *, code_ttl_s: float, ttl_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._code_ttl_s = code_ttl_s
        self._ttl_s = ttl_s
        self._now = now
        self._codes: dict[bytes, float] = {}
        self._sessions: dict[bytes, float] = {}

    def new_code(self) -> str:
        """A code that signs one person in, once."""
        code = secrets.token_urlsafe(24)
        self._codes[_digest(code)] = self._now() + self._code_ttl_s
        return code

    def redeem(self, code: str) -> str | None:
        """A session for a code that was never used and is not too old."""
        until = self._codes.pop(_digest(code), 0.0)
        if until < self._now():
            return None
        session = secrets.token_urlsafe(32)
        self._forget_old()
        self._sessions[_digest(session)] = self._now() + self._ttl_s
        return session

    def knows(self, session: str) -> bool:
        return self._sessions.get(_digest(session), 0.0) >= self._now()

    def _forget_old(self) -> None:
        now = self._now()
        self._sessions = {key: until for key, until in self._sessions.items() if until >= now}


class Caller:
    """What one request shows of its sender: a token, or a cookie, and where it comes from."""

    def __init__(self, headers: Mapping[str, str], *, token: str = "") -> None:
        """`token` is one that stands where only its protocol looks for it."""
        self._headers = headers
        self._token = token

    @property
    def token(self) -> str:
        if self._token:
            return self._token
        if direct := self._headers.get("x-qmon-token"):
            return direct.strip()
        kind, _, value = self._headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return value.strip()
        return _user_of(value) if kind.lower() == "basic" else ""

    @property
    def session(self) -> str:
        try:
            morsel = SimpleCookie(self._headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return ""
        return morsel.value if morsel else ""


def cookie_for(session: str, *, max_age_s: float, is_secure: bool = False) -> str:
    kept = f"{COOKIE}={session}; HttpOnly; SameSite=Strict; Path=/; Max-Age={int(max_age_s)}"
    return f"{kept}; Secure" if is_secure else kept


def _user_of(encoded: str) -> str:
    """The user part of basic authentication: what clients send for `https://TOKEN@host`."""
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return pair.partition(":")[0]


def _digest(secret: str) -> bytes:
    # Looked up by digest, so the time a look-up takes says nothing about the secret.
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
