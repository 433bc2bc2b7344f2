"""Who asked to be forgotten, as rows: a name only until all of it is done."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from secrets import token_hex
from typing import Any

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from .database import Database, record
from .homes import home_of
from .tables import FORGETTINGS

_MOST = 1_000


class Forgetting(msgspec.Struct, frozen=True, kw_only=True):
    """One request; `finished_at` 0 means that there is still something to be done."""

    id: str
    person: str
    """Nobody, once it is finished."""
    mark: str
    """The SHA-256 of the name, by which one may recognize the request afterwards."""
    author: str
    created_at: int
    upto: int
    """The last record of the journal that had come when it was asked for."""
    report: Mapping[str, Any] = {}
    finished_at: int = 0


class Forgettings:
    """Every request, finished or not."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, person: str, *, author: str, upto: int) -> Forgetting:
        """On disk when this returns: from now on it will be done, whatever happens."""
        made = Forgetting(
            id=token_hex(8),
            person=person,
            mark=mark_of(person),
            author=author,
            created_at=self._database.clock.now(),
            upto=upto,
        )
        with self._database.writing() as connection:
            connection.execute(insert(FORGETTINGS).values(msgspec.structs.asdict(made)))
        return made

    def note(self, name: str, report: Mapping[str, Any]) -> None:
        """Write down what was done so far."""
        self._change(name, report=dict(report))

    def finish(self, name: str, report: Mapping[str, Any]) -> None:
        """All is done: the name goes, too."""
        now = self._database.clock.now()
        self._change(name, report=dict(report), finished_at=now, person="")

    def unfinished(self) -> list[Forgetting]:
        """Those that are to be done still, the oldest first."""
        return self._found(FORGETTINGS.c.finished_at == 0)

    def all(self) -> list[Forgetting]:
        """Every one, the oldest first."""
        return self._found(FORGETTINGS.c.id != "")

    def _found(self, where: Any) -> list[Forgetting]:
        asked = select(FORGETTINGS).where(where).order_by(FORGETTINGS.c.created_at).limit(_MOST)
        with self._database.reading() as connection:
            return [record(Forgetting, row) for row in connection.execute(asked)]

    def _change(self, name: str, **values: Any) -> None:
        with self._database.writing() as connection:
            one = FORGETTINGS.c.id == name
            connection.execute(update(FORGETTINGS).where(one).values(values))


def asked_or_done_since(dsn: str, password: str = "", *, since: int) -> list[dict[str, Any]] | None:
    """Requests that were not done by then, of a state that somebody else may own; nothing changes.

    None where it does not answer, or has no such table.
    """
    names = ("id", "person", "mark", "created_at")
    done = FORGETTINGS.c.finished_at
    asked = select(*(FORGETTINGS.c[name] for name in names)).where((done == 0) | (done >= since))
    engine = home_of(dsn, password).engine()
    try:
        with engine.connect() as connection:
            rows = connection.execute(asked.order_by(FORGETTINGS.c.created_at))
            return [dict(zip(names, row, strict=True)) for row in rows]
    except SQLAlchemyError:
        return None
    finally:
        engine.dispose()


def mark_of(person: str) -> str:
    """What is kept of a name in its place."""
    return sha256(person.encode()).hexdigest()
