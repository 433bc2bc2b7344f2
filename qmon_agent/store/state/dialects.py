"""`INSERT ... ON CONFLICT`, the one statement engines spell through different modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table


def _insert(connection: Connection, table: Table) -> Any:
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert(table)
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert(table)


def upsert(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, keys: Sequence[str]
) -> None:
    """Insert the rows; where one with the same keys is there, give it the new values."""
    if not rows:
        return
    statement = _insert(connection, table)
    changed = {
        name: statement.excluded[name] for name in rows[0] if name not in {*keys, "created_at"}
    }
    statement = statement.on_conflict_do_update(index_elements=list(keys), set_=changed)
    connection.execute(statement, list(rows))


def insert_new(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, keys: Sequence[str]
) -> None:
    """Insert the rows; leave those alone that are there already."""
    if rows:
        statement = _insert(connection, table).on_conflict_do_nothing(index_elements=list(keys))
        connection.execute(statement, list(rows))
