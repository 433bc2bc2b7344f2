"""What came of a message, and who sent it."""

from __future__ import annotations

import enum

import msgspec


class Fate(enum.Enum):
    """Where a message ended; only the first two are acknowledged."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    """Never to be sent again: it is in the dead letters, with its reason."""
    REFUSED = "refused"
    """Not now: the sender keeps it and tries again."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one message."""

    fate: Fate
    sequence: int = 0
    reason: str = ""
    lost: int = 0
    """How many signals of a message no frame can carry, each for itself."""

    @property
    def acknowledged(self) -> bool:
        return self.fate in {Fate.STORED, Fate.DUPLICATE}


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Who is at the other end; `name` is what budgets are kept by."""

    name: str
    uid: int | None = None
    pid: int | None = None
