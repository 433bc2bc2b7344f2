"""Whom the store tells how far it is, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from qmon_agent.journal import Position


class Counters(Protocol):
    """Where the store says how it is, for `/metrics`."""

    def add(self, name: str, n: int = 1, **labels: str) -> None: ...
    def gauge(self, name: str, value: float, **labels: str) -> None: ...


class Listeners(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the store tells; each is called on the loop and must not block."""

    exported: Callable[[Position], None] = lambda _: None
    """The journal may be trimmed up to here; comes again after every start."""
    stored: Callable[[Position], None] = lambda _: None
    """Queries see everything up to here."""
    buried: Callable[[bytes, str], None] = lambda _payload, _reason: None
    """A frame no table takes, and why: for the dead letters. May come twice after a crash."""
    restarting: Callable[[str], None] = lambda _: None
    """The worker has ended, and another is about to start: why it was to; nothing if it died."""
