"""One agent owns a state: a lock of the engine keeps others out, a number fences those off.

The lock may be lost without its holder knowing, as with a connection. Each owner therefore has a
number, higher than any before it, and every transaction looks whether it is still in force.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, Engine, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from qmon_agent.domain.errors import StateOwnedError

from . import sqlite
from .dialects import upsert
from .homes import Home
from .tables import CHECKPOINTS

NOTE = "owner"
TRIES = 20
PAUSE_S = 0.1
"""An agent that has just died may leave its lock for a moment."""
LOOK_S = 5.0
"""How often it is looked whether the lock is there still."""
_NOBODY_KNOWN = "another agent, which is just starting"


class Owner(msgspec.Struct, frozen=True):
    """Who owns a state, since when, and the number by which that is known."""

    agent: str
    since: int
    fence: int

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since // 10**9, UTC)
        return f"agent {self.agent}, since {since:%Y-%m-%d %H:%M:%S} UTC"


class Ownership:
    """Taken before anything is written, kept until the end; from any thread that writes."""

    def __init__(self, home: Home, engine: Engine, agent: str) -> None:
        """Take the lock; raises StateOwnedError where another agent has it."""
        self._home = home
        self._lock = home.lock()
        self._agent = agent
        self._fence = 0
        self._look_at = 0.0
        for _ in range(TRIES):
            if self._lock.take():
                return
            time.sleep(PAUSE_S)
        raise StateOwnedError(home.name, _owner_in(engine))

    def begin(self, engine: Engine, now: int) -> None:
        """Write down who owns it from now on: whoever did is fenced off."""
        with engine.execution_options(**{sqlite.WRITES: True}).begin() as connection:
            known = _read(connection, lock=True)
            self._fence = 1 + (known.fence if known else 0)
            owner = Owner(self._agent, now, self._fence)
            row = {"name": NOTE, "position": msgspec.json.encode(owner).decode()}
            upsert(connection, CHECKPOINTS, [row | {"updated_at": now}], keys=["name"])

    def keep(self) -> None:
        """Have the lock still, or again; raises StateOwnedError where another agent has it."""
        if time.monotonic() < self._look_at:
            return
        if not self._lock.take():
            raise StateOwnedError(self._home.name, "another agent, which has taken it over")
        self._look_at = time.monotonic() + LOOK_S

    def doubt(self) -> None:
        """Look at the lock before anything else is written."""
        self._look_at = 0.0

    def check(self, connection: Connection) -> None:
        """Within a transaction that writes: raises StateOwnedError if another is owner now."""
        known = _read(connection, lock=True)
        if known is None or known.fence != self._fence:
            raise StateOwnedError(self._home.name, str(known) if known else _NOBODY_KNOWN)

    def release(self) -> None:
        self._lock.release()


def owner_in(connection: Connection) -> Owner | None:
    """Who owns it, or did last; nobody ever may have."""
    if not inspect(connection).has_table(CHECKPOINTS.name):
        return None
    return _read(connection)


def _owner_in(engine: Engine) -> str:
    try:
        with engine.connect() as connection:
            found = owner_in(connection)
    except SQLAlchemyError:
        found = None
    return str(found) if found else _NOBODY_KNOWN


def _read(connection: Connection, *, lock: bool = False) -> Owner | None:
    asked = select(CHECKPOINTS.c.position).where(CHECKPOINTS.c.name == NOTE)
    # The next owner waits for what this one is writing, and so does this one itself: of what it
    # gave up waiting for, the server may still be about to commit it. SQLite has one writer anyway.
    found = connection.execute(asked.with_for_update() if lock else asked).scalar()
    return msgspec.json.decode(found, type=Owner) if found else None
