"""Tokens by memory: what a request asks at every turn, the database answers once in a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

from qmon_agent.domain.errors import StoreError

# A token revoked behind our back, in the database, works no longer than this.
_FRESH_S = 5.0
_MOST = 1_024
PREFIX = "qmon_"


class Valid(Protocol):
    """A token that is valid now."""

    @property
    def scope(self) -> str: ...


class TokenMemory:
    """The scope of a token, remembered for a few seconds; a known one costs a look-up."""

    def __init__(
        self, check: Callable[[str], Valid | None], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._check = check
        self._now = now
        self._known: OrderedDict[bytes, tuple[str | None, float]] = OrderedDict()

    def __call__(self, token: str) -> str | None:
        if not token.startswith(PREFIX):
            return None
        key = sha256(token.encode("utf-8", "replace")).digest()
        scope, until = self._known.get(key, (None, 0.0))
        if until < self._now():
            try:
                valid = self._check(token)
            except StoreError:
                # The state is away: who was let in is let in, and nobody else.
                if scope is None:
                    raise
                return scope
            scope = valid.scope if valid else None
            self._remember(key, scope)
        return scope

    def may_enter(self, token: str) -> bool:
        """Whether it may send signals."""
        return self(token) in {"ingest", "admin"}

    def forget(self) -> None:
        """After a change: ask again."""
        self._known.clear()

    def _remember(self, key: bytes, scope: str | None) -> None:
        self._known[key] = (scope, self._now() + _FRESH_S)
        self._known.move_to_end(key)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
