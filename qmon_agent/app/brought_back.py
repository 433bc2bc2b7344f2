"""Who was forgotten in a state that an older backup has replaced, and so is known again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from qmon_agent.store.state.forgettings import asked_or_done_since
from qmon_agent.store.state.sqlite import rows_of
from qmon_agent.store.state.tables import FORGETTINGS

_COLUMNS = ("id", "person", "mark", "created_at")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody asked to be forgotten; the fields are those of `state.forgettings`."""

    id: str
    person: str
    """Nobody, where all had been done: then the mark alone is kept."""
    mark: str
    created_at: int


Requests = tuple[Request, ...]


def requests_in(database: Path | None) -> Requests | None:
    """Those a file of the state has, the oldest first; None where nobody can read them."""
    if database is None or not database.exists():
        return ()
    rows = rows_of(database, FORGETTINGS.name, _COLUMNS)
    if rows is None:
        return None
    found = msgspec.convert(rows, list[Request])
    return tuple(sorted(found, key=lambda each: each.created_at))


def newer_than(replaced: Requests | None, restored: Requests | None) -> Requests | None:
    """The requests the restored state knows nothing of; None where that cannot be told."""
    known = {each.id for each in restored or ()}
    return replaced and tuple(each for each in replaced if each.id not in known)


def requests_elsewhere(dsn: str, password: str, *, since: int) -> Requests | None:
    """Those of a database that no backup holds, and that were not done by this moment.

    None where it cannot be asked.
    """
    found = asked_or_done_since(dsn, password, since=since)
    return None if found is None else tuple(msgspec.convert(found, list[Request]))


def sentences(newer: Requests | None) -> Sequence[str]:
    """What whoever put the backup back has to know, and to do."""
    if newer is None:
        return ["nobody can tell who was forgotten since this backup: the state cannot be read"]
    if not newer:
        return []
    number = "1 request" if len(newer) == 1 else f"{len(newer)} requests"
    return [
        f"{number} to be forgotten came after this backup: what it has of these users is back",
        "repeat them when the agent runs: qmon-agent forget USER",
        *(f"  USER: {_whose(each)}" for each in newer),
    ]


def _whose(request: Request) -> str:
    return request.person or f"only the SHA-256 of the name is kept, {request.mark}"
