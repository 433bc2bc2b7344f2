"""Legal holds as rows: on disk before whoever made one is told so, and never deleted."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

import msgspec
from sqlalchemy import insert, select, update

from qmon_agent.domain.retention import Hold

from .database import Database
from .tables import HOLDS


class Holds:
    """Every hold there is, and when those that were removed ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, hold: Hold) -> Hold:
        """Make one; its id and its time are given here."""
        made = msgspec.structs.replace(hold, id=token_hex(8), created_at=self._database.clock.now())
        row = msgspec.structs.asdict(made)
        row |= {"person": row.pop("user"), "kinds": list(made.kinds)}
        with self._database.writing() as connection:
            connection.execute(insert(HOLDS).values(row))
        return made

    def in_force(self) -> list[Hold]:
        """Those that were not removed, the oldest first."""
        return [hold for hold in self.all() if not hold.removed_at]

    def all(self) -> list[Hold]:
        """Those that were removed as well, the oldest first."""
        with self._database.reading() as connection:
            found = connection.execute(select(HOLDS).order_by(HOLDS.c.created_at))
            return [_hold(row) for row in found]

    def remove(self, name: str, *, author: str = "") -> Hold | None:
        """End one now; None where none of this id is in force."""
        ended = {"removed_at": self._database.clock.now(), "removed_by": author}
        one = (HOLDS.c.id == name) & (HOLDS.c.removed_at == 0)
        with self._database.writing() as connection:
            row = connection.execute(select(HOLDS).where(one)).first()
            connection.execute(update(HOLDS).where(one).values(ended))
        return None if row is None else msgspec.structs.replace(_hold(row), **ended)


def _hold(row: Any) -> Hold:
    return Hold(
        id=row.id,
        kinds=tuple(row.kinds),
        service=row.service,
        user=row.person,
        since=row.since,
        until=row.until,
        reason=row.reason,
        author=row.author,
        created_at=row.created_at,
        removed_at=row.removed_at,
        removed_by=row.removed_by,
    )
