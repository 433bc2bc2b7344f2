"""Moves a state from one engine to another: every row, in one transaction, compared at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, Table, insert, literal, select, text, tuple_

from qmon_agent.domain.errors import StoreError

from .owning import NOTE
from .store import StateStore
from .tables import CHECKPOINTS, METADATA

AT_ONCE = 500
_MODULUS = 1 << 256
Say = Callable[[str], None]


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What was moved: rows by table, and the checksum that both sides have of all of them."""

    rows: dict[str, int]
    checksum: str


def move_state(source: StateStore, target: StateStore, *, say: Say = lambda _: None) -> Moved:
    """Copy all of `source`, which stays as it is, into `target`, which has to be empty.

    Both have to be owned by whoever calls, so that no agent writes meanwhile. Raises StoreError,
    and leaves the target empty, where anything goes wrong or differs. Blocks as long as it takes.
    """
    counted: dict[str, int] = {}
    sent = kept = 0
    with source.reading() as theirs, target.writing() as ours:
        zeros = ours.dialect.name != "postgresql"
        _refuse_what_is_full(ours)
        for table in METADATA.sorted_tables:
            say(f"state: {table.name}")
            counted[table.name] = 0
            for rows in _rows(theirs, table, zeros=zeros):
                ours.execute(insert(table), rows)
                counted[table.name] += len(rows)
                sent += _sum_of(table, rows)
            kept += sum(_sum_of(table, rows) for rows in _rows(ours, table, zeros=zeros))
        if sent % _MODULUS != kept % _MODULUS:
            raise StoreError("what has arrived is not what was sent; nothing was moved")
        _count_on(ours)
    return Moved(rows=counted, checksum=f"{kept % _MODULUS:064x}")


def _refuse_what_is_full(connection: Connection) -> None:
    for table in METADATA.sorted_tables:
        if connection.execute(_all_of(table).limit(1)).first() is not None:
            raise StoreError(f"there is a state already: its table {table.name} is not empty")


def _all_of(table: Table) -> Select[Any]:
    # Who owns it is no part of it.
    asked = select(table)
    return asked.where(table.c.name != NOTE) if table is CHECKPOINTS else asked


def _rows(
    connection: Connection, table: Table, *, zeros: bool
) -> Iterator[Sequence[Mapping[str, Any]]]:
    """A few at a time, as the target is able to keep them."""
    keys = [*table.primary_key]
    asked = _all_of(table).order_by(*keys).limit(AT_ONCE)
    found = connection.execute(asked).all()
    while found:
        yield [_row(each, zeros=zeros) for each in found]
        last = [found[-1]._mapping[key] for key in keys]  # noqa: SLF001 - SQLAlchemy's public name for it
        found = connection.execute(asked.where(tuple_(*keys) > tuple_(*map(literal, last)))).all()


def _row(row: Row[Any], *, zeros: bool) -> dict[str, Any]:
    # SQLAlchemy's names are words of its own, and `_mapping` its public name for it.
    values = {f"{name}": value for name, value in row._mapping.items()}  # noqa: SLF001 - see above
    if zeros:
        return values
    return {
        name: value.replace("\0", "\ufffd") if isinstance(value, str) else value
        for name, value in values.items()
    }


def _sum_of(table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """The same in whatever order rows come, as engines sort words each in their own way."""
    words = (msgspec.json.encode((f"{table.name}", row)) for row in rows)
    return sum(int.from_bytes(sha256(each).digest()) for each in words)


def _count_on(connection: Connection) -> None:
    """Let numbers go on behind those that were brought along."""
    if connection.dialect.name != "postgresql":
        return  # SQLite looks for the highest by itself
    for table in METADATA.sorted_tables:
        if table.autoincrement_column is not None:
            asked = (
                f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) "  # noqa: S608 - names of ours
                f"FROM {table.name} HAVING max(id) IS NOT NULL"
            )
            connection.execute(text(asked))
