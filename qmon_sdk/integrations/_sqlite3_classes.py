"""The watched classes of `sqlite3`; imported once that is."""

from __future__ import annotations

import os
import sqlite3
from functools import wraps

from ._around import Calls
from ._database import Peer, batch_size, peer, rows
from ._subclasses import Subclasses, Switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qmon_sdk.recorder.sites import Site

    from ._sites import Pair, Said

    Args = tuple[Any, ...]
    Kwargs = dict[str, Any]
    Function = Callable[..., Any]

SYSTEM = "sqlite"
FACTORY = 5  # its place among the arguments of `connect`

watching = Switch()


def connecting(connect: Function) -> Function:
    """Have `connect` make watched connections, and record how long that takes."""
    timed = Calls(_connect).sync(lambda _, *args, **kwargs: connect(*args, **kwargs))

    def connect_watched(*args: Any, **kwargs: Any) -> Any:
        if len(args) > FACTORY:
            args = (*args[:FACTORY], CONNECTIONS.of(args[FACTORY]), *args[FACTORY + 1 :])
        else:
            kwargs["factory"] = CONNECTIONS.of(kwargs.get("factory", sqlite3.Connection))
        return timed(None, *args, **kwargs)

    return connect_watched


def _connect(_: Any, args: Args, kwargs: Kwargs) -> Site | Said | None:
    return _peer(args[0] if args else kwargs.get("database")).operation("CONNECT")


def _peer(database: Any) -> Peer:
    if isinstance(database, os.PathLike):
        database = os.fspath(database)
    if isinstance(database, bytes):
        database = os.fsdecode(database)
    return peer(SYSTEM, database.partition("?")[0] if isinstance(database, str) else "")


def _statement(cursor: Any, args: Args, _: Any) -> Site | Said | None:
    if not watching.is_on or not args:
        return None
    return _peer_of(cursor.connection).statement(args[0])


def _batch(cursor: Any, args: Args, _: Any) -> Site | Said | None:
    if not watching.is_on or len(args) < 2:  # noqa: PLR2004 - a statement and its batch
        return None
    return _peer_of(cursor.connection).statement(args[0], in_batch=batch_size(args[1]) != 1)


def _peer_of(connection: Any) -> Peer:
    found: Peer = getattr(connection, "_qmon_peer", _NOWHERE)
    return found


def _changed(cursor: Any, _: Any, __: Args) -> Kwargs | Pair | None:
    count = cursor.rowcount
    if count < 0 or cursor.description is not None:  # of what returns rows it is not known yet
        return None
    return "db.response.affected_rows", count


def _changed_by_batch(cursor: Any, _: Any, args: Args) -> Kwargs | Pair | None:
    return rows(affected=cursor.rowcount, batch=args[1])


def _ending(name: str) -> Calls:
    def site_of(connection: Any, _: Any, __: Any) -> Site | Said | None:
        return _peer_of(connection).operation(name) if _in_transaction(connection) else None

    return Calls(site_of)


def _leaving(connection: Any, raised: Args, _: Any) -> Site | Said | None:
    if not _in_transaction(connection):
        return None
    return _peer_of(connection).operation("ROLLBACK" if raised and raised[0] else "COMMIT")


def _in_transaction(connection: Any) -> bool:
    try:
        return watching.is_on and connection.in_transaction
    except sqlite3.Error:  # closed, or of another thread: which `sqlite3` will say itself
        return False


def _watched(calls: Calls, original: Function) -> Function:
    return wraps(original)(calls.sync(original))


_NOWHERE = peer(SYSTEM)
_STATEMENTS, _BATCHES, _SCRIPTS = (
    Calls(_statement, _changed),
    Calls(_batch, _changed_by_batch),
    Calls(_statement),
)


class Cursor(sqlite3.Cursor):
    """A cursor whose statements are spans."""

    __module__, __qualname__ = "sqlite3", "Cursor"

    execute = _watched(_STATEMENTS, sqlite3.Cursor.execute)
    executemany = _watched(_BATCHES, sqlite3.Cursor.executemany)
    executescript = _watched(_SCRIPTS, sqlite3.Cursor.executescript)


class Connection(sqlite3.Connection):
    """A connection of watched cursors, whatever makes them."""

    __module__, __qualname__ = "sqlite3", "Connection"
    _qmon_is_watched = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._qmon_peer = _peer(args[0] if args else kwargs.get("database"))

    def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
        return sqlite3.Connection.cursor(self, CURSORS.of(factory))

    # Those of C make a cursor of theirs without asking `cursor`.

    def execute(self, *args: Any) -> Any:
        return Connection.cursor(self).execute(*args)

    def executemany(self, *args: Any) -> Any:
        return Connection.cursor(self).executemany(*args)

    def executescript(self, *args: Any) -> Any:
        return Connection.cursor(self).executescript(*args)

    commit = _watched(_ending("COMMIT"), sqlite3.Connection.commit)
    rollback = _watched(_ending("ROLLBACK"), sqlite3.Connection.rollback)
    __exit__ = _watched(Calls(_leaving), sqlite3.Connection.__exit__)


CURSORS = Subclasses(Cursor, sqlite3.Cursor)
CONNECTIONS = Subclasses(Connection, sqlite3.Connection)
