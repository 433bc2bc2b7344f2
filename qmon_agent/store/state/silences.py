"""Silences as rows: on disk before whoever made one is told so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, select

from qmon_agent.domain.alarms.matcher_text import parse_matchers
from qmon_agent.domain.alarms.matchers import print_matchers
from qmon_agent.domain.alarms.silences import Silence

from .database import Database
from .dialects import upsert
from .tables import SILENCES

_MOST = 1_000


class Silences:
    """Every silence, those that are over until they are forgotten."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, silences: Sequence[Silence]) -> None:
        """Make or change them."""
        now = self._database.clock.now()
        rows = [
            msgspec.structs.asdict(each)
            | {"matchers": print_matchers(each.matchers), "created_at": now, "updated_at": now}
            for each in silences
        ]
        with self._database.writing() as connection:
            upsert(connection, SILENCES, rows, keys=["id"])

    def lasting(self) -> list[Silence]:
        """Those that are not over."""
        now = self._database.clock.now()
        return self._found(SILENCES.c.ends_at > now)

    def all(self) -> list[Silence]:
        """Every one, those that end last first."""
        return self._found(SILENCES.c.id != "")

    def _found(self, where: Any) -> list[Silence]:
        asked = select(SILENCES).where(where).order_by(SILENCES.c.ends_at.desc()).limit(_MOST)
        with self._database.reading() as connection:
            rows = connection.execute(asked).all()
        return [
            Silence(
                id=row.id,
                matchers=parse_matchers(row.matchers),
                starts_at=row.starts_at,
                ends_at=row.ends_at,
                author=row.author,
                comment=row.comment,
                until_resolved=row.until_resolved,
                has_muted=row.has_muted,
            )
            for row in rows
        ]

    def forget(self, before: int) -> int:
        """Delete those that were over before this moment; how many."""
        with self._database.writing() as connection:
            return connection.execute(delete(SILENCES).where(SILENCES.c.ends_at < before)).rowcount
