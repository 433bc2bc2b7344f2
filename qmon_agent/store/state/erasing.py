"""A person's name taken out of what alerts have said and people have written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, cast, false, select, update
from sqlalchemy.types import Text

from qmon_agent.domain.names_in_text import is_telling, without_name

from .database import Database
from .tables import DELIVERIES, INCIDENTS, OUTBOX, REMARKS, SILENCES, TRANSITIONS

_OVER = INCIDENTS.c.resolved_at > 0
_SENT = OUTBOX.c.sent_at > 0
# Of what is not over, others hold the text in memory, and would write it again.
_PLACES: tuple[tuple[Table, tuple[str, ...], ColumnElement[bool] | None], ...] = (
    (INCIDENTS, ("instance", "labels"), _OVER),
    (TRANSITIONS, ("reason",), None),
    (OUTBOX, ("notice", "detail"), _SENT),
    (DELIVERIES, ("detail",), None),
    (REMARKS, ("author", "text"), None),
    (SILENCES, ("author", "comment", "matchers"), false()),
)


class Erasing:
    """Looks for a name in every text, and replaces it where nobody needs it any more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def forget(self, person: str, *, dry_run: bool = False) -> Mapping[str, Mapping[str, int]]:
        """`removed` and `left`: `table.column` → rows; left is what lasts, or tells nobody."""
        removed: Counter[str] = Counter()
        left: Counter[str] = Counter()
        with self._database.writing() as connection:
            for table, columns, over in _PLACES:
                for column in (table.c[name] for name in columns):
                    found = dict(_rows_with(connection, column, person))
                    ended = _keys(connection, table, over) if found else set()
                    going = {key: found[key] for key in found if key in ended}
                    if not is_telling(person):
                        going = {}
                    if not dry_run:
                        _replace(connection, column, going, person=person)
                    removed[f"{table.name}.{column.name}"] += len(going)
                    left[f"{table.name}.{column.name}"] += len(found) - len(going)
        return {"removed": +removed, "left": +left}


def _rows_with(
    connection: Connection, column: Column[Any], person: str
) -> Iterator[tuple[Any, Any]]:
    """Key and value of each row where the name stands by itself."""
    written = cast(column, Text)
    like = written.contains(person, autoescape=True)
    like |= written.contains(json.dumps(person)[1:-1], autoescape=True)
    for key, value in connection.execute(select(column.table.c.id, column).where(like)).all():
        text = value if isinstance(value, str) else json.dumps(value)
        if without_name(text, person) != text:
            yield key, value


def _keys(connection: Connection, table: Table, over: ColumnElement[bool] | None) -> set[Any]:
    asked = select(table.c.id)
    return set(connection.execute(asked if over is None else asked.where(over)).scalars())


def _replace(
    connection: Connection, column: Column[Any], rows: Mapping[Any, Any], *, person: str
) -> None:
    table = column.table
    for key, value in rows.items():
        is_text = isinstance(value, str)
        text = without_name(value if is_text else json.dumps(value), person)
        changed = {column.name: text if is_text else json.loads(text)}
        connection.execute(update(table).where(table.c.id == key).values(changed))
