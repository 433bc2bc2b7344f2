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
        asked = select(HOLDS).where(HOLDS.c.removed_at == 0).order_by(HOLDS.c.created_at)
        with self._database.reading() as connection:
            return [_hold(row) for row in connection.execute(asked)]

    def remove(self, name: str) -> Hold | None:
        """End one now; None where none of this id is in force."""
        now = self._database.clock.now()
        one = (HOLDS.c.id == name) & (HOLDS.c.removed_at == 0)
        with self._database.writing() as connection:
            row = connection.execute(select(HOLDS).where(one)).first()
            connection.execute(update(HOLDS).where(one).values(removed_at=now))
        return None if row is None else _hold(row)


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
    )
