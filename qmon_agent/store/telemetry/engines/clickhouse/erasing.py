"""A user's rows deleted on the server: asked for, waited for, and looked for once more.

A mutation writes the parts anew in which such rows are. Until it is done the rows are there; the
old parts lie on the server's disk for some minutes more (`old_parts_lifetime`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from qmon_agent.domain.errors import StoreError
from qmon_agent.domain.retention import Hold
from qmon_agent.store.telemetry.answers import Erased
from qmon_agent.store.telemetry.forgetting import CLICKHOUSE, count, going
from qmon_agent.store.telemetry.rollups import ROLLUPS
from qmon_agent.store.telemetry.schema import EVERY_TABLE, Table

from . import ddl, folding
from .ddl import Layout
from .gone import GoneBook
from .server import Server

WAIT_S, LONGEST_S = 0.2, 3_600.0


def erase(server: Server, user: str, holds: Iterable[Hold], *, book: GoneBook) -> Erased:
    """What was taken out, and is booked; StoreError where the server is away, or a row is there.

    OSError where it cannot be booked.
    """
    kept, removed, held = tuple(holds), {}, {}
    for table in tables():
        if book.begun(table.name, user):
            _wait(server, table)
        gone, stays = _counted(server, table, user=user, holds=kept)
        if gone:
            book.begin(table.name, user, going_of(gone, book.begun(table.name, user)))
            with server.asked() as client:
                client.command(delete(table, user, kept, layout=server.layout))
            _wait(server, table)
            left, stays = _counted(server, table, user=user, holds=kept)
            if left:
                raise StoreError(f"{table.name} has {left} rows of the user still")
        if book.begun(table.name, user):
            removed[table.name] = book.end(table.name, user)
        if stays:
            held[table.name] = stays
    return Erased(removed=removed, held=held)


def going_of(found: int, begun: int) -> int:
    """How many rows go with this deletion and one before it that nobody saw the end of.

    Where fewer are found than were about to go, those have gone, and these came since.
    """
    return found if found >= begun else found + begun


def tables() -> Iterator[Table]:
    """Where something of a user may be: of rollups in those that have attributes."""
    yield from EVERY_TABLE
    for rollup in ROLLUPS.values():
        if "attributes" in rollup.keys:
            yield folding.parts_of(rollup)


def delete(table: Table, user: str, holds: tuple[Hold, ...], *, layout: Layout) -> str:
    """The statement that deletes the user's rows, on every server of a cluster."""
    condition = going(table, user, holds, words=CLICKHOUSE)
    return f"ALTER TABLE {layout.local(table)}{layout.everywhere} DELETE WHERE {condition}"


def unfinished(table: Table, layout: Layout) -> str:
    """The question for deletions that are not done, and why not."""
    source = "system.mutations"
    if layout.cluster:
        source = f"clusterAllReplicas({ddl.text(layout.cluster)}, {source})"
    name = layout.name(table)
    return (
        f"SELECT latest_fail_reason FROM {source} WHERE database = {ddl.text(layout.database)}"  # noqa: S608 - our names
        f" AND table = {ddl.text(name)} AND NOT is_done ORDER BY latest_fail_reason DESC"
    )


def _counted(
    server: Server, table: Table, *, user: str, holds: tuple[Hold, ...]
) -> tuple[int, int]:
    asked = count(table, user, holds, source=server.layout.whole(table), words=CLICKHOUSE)
    with server.asked() as client:
        ((_, gone, stays),) = client.query(asked).result_rows
    return int(gone), int(stays)


def _wait(server: Server, table: Table) -> None:
    until = time.monotonic() + LONGEST_S
    while True:
        with server.asked() as client:
            waiting = client.query(unfinished(table, server.layout)).result_rows
        if not waiting:
            return
        if waiting[0][0] or time.monotonic() > until:
            raise StoreError(f"{table.name}: a deletion is not done: {waiting[0][0] or 'too slow'}")
        time.sleep(WAIT_S)
