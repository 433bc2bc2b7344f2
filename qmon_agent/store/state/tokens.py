"""Tokens: shown once, kept only as a hash, with a scope and an end."""

from __future__ import annotations

import secrets
from hashlib import sha256
from string import ascii_letters, digits

import msgspec
from sqlalchemy import insert, select, update

from qmon_agent.domain.errors import ConfigError, nearest_to

from .database import Database, record
from .tables import TOKENS

SCOPES = ("ingest", "read", "operator", "admin")
PREFIX = "qmon_"
SECOND = 1_000_000_000
# No sign among them: @sentry/node takes a DSN whose key has a dash in it for none.
_LETTERS = ascii_letters + digits
_LENGTH = 43  # of 62 letters: 256 bits


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a token, which is everything but the token; `expires_at` 0 means never."""

    id: int
    name: str
    scope: str
    created_at: int
    expires_at: int
    revoked_at: int = 0


class Tokens:
    """Makes, checks and revokes tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, scope: str, *, name: str = "", ttl_s: float = 0) -> tuple[str, Token]:
        """A new token and its record; the text cannot be had again. A ttl of 0 never ends."""
        if scope not in SCOPES:
            raise ConfigError(
                "token.scope", f"no scope {scope!r}", nearest_to(scope, SCOPES) or SCOPES
            )
        secret = PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
        now = self._database.clock.now()
        row = {
            "name": name,
            "scope": scope,
            "hash": _hashed(secret),
            "created_at": now,
            "expires_at": now + round(ttl_s * SECOND) if ttl_s else 0,
        }
        with self._database.writing() as connection:
            made = connection.execute(insert(TOKENS).values(row).returning(*_SHOWN)).one()
        return secret, record(Token, made)

    def check(self, secret: str) -> Token | None:
        """The token this text is, if it is valid now."""
        now = self._database.clock.now()
        with self._database.reading() as connection:
            known = select(*_SHOWN).where(TOKENS.c.hash == _hashed(secret))
            row = connection.execute(known).first()
        if row is None or row.revoked_at or 0 < row.expires_at <= now:
            return None
        return record(Token, row)

    def all(self) -> list[Token]:
        """Every token, expired and revoked ones too."""
        with self._database.reading() as connection:
            found = connection.execute(select(*_SHOWN).order_by(TOKENS.c.id))
            return [record(Token, row) for row in found]

    def revoke(self, token_id: int) -> bool:
        """End a token now; no if there was nothing to end."""
        valid = (TOKENS.c.id == token_id) & (TOKENS.c.revoked_at == 0)
        with self._database.writing() as connection:
            ended = update(TOKENS).where(valid).values(revoked_at=self._database.clock.now())
            return connection.execute(ended).rowcount == 1


_SHOWN = tuple(TOKENS.c[name] for name in Token.__struct_fields__)


def _hashed(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
