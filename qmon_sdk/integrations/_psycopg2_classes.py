"""The watched classes of `psycopg2`; imported once that is."""

from __future__ import annotations

from functools import wraps

from psycopg2 import extensions

from ._around import Calls
from ._database import Peer, batch_size, peer, peer_of, rows
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

SYSTEM = "postgresql"
IN_TRANSACTION = (extensions.STATUS_BEGIN, extensions.STATUS_PREPARED)

watching = Switch()


def connecting(connect: Function) -> Function:
    """Have psycopg2 make watched connections, and record how long that takes."""
    timed = Calls(_connect).sync(connect)

    def connect_watched(dsn: Any, connection_factory: Any = None, **kwargs: Any) -> Any:
        made = CONNECTIONS.of(connection_factory or extensions.connection)
        return timed(dsn, connection_factory=made, **kwargs)

    return connect_watched


def _connect(dsn: Any, _: Any, __: Any) -> Site | Said | None:
    return _peer_in(extensions.parse_dsn(dsn)).operation("CONNECT")


def _peer_in(about: Kwargs) -> Peer:
    return peer(SYSTEM, about.get("dbname"), address=about.get("host"), port=about.get("port"))


def _find(connection: Any) -> Peer:
    try:
        return _peer_in(connection.get_dsn_parameters())
    except Exception:  # noqa: BLE001 - a connection that is gone has no parameters
        return peer(SYSTEM)


def _text(query: Any, cursor: Any) -> Any:
    if isinstance(query, str | bytes) or not hasattr(query, "as_string"):
        return query
    try:
        return query.as_string(cursor)
    except Exception:  # noqa: BLE001 - psycopg2 will say what is wrong with it
        return None


def _statement(cursor: Any, args: Args, kwargs: Kwargs) -> Site | Said | None:
    if not watching.is_on:
        return None
    query = args[0] if args else kwargs.get("query", kwargs.get("sql"))
    return peer_of(cursor.connection, _find).statement(_text(query, cursor))


def _batch(cursor: Any, args: Args, kwargs: Kwargs) -> Site | Said | None:
    if not watching.is_on:
        return None
    query = args[0] if args else kwargs.get("query")
    size = batch_size(args[1] if len(args) > 1 else kwargs.get("vars_list"))
    found = peer_of(cursor.connection, _find)
    return found.statement(_text(query, cursor), in_batch=size != 1)


def _named(name: str) -> Calls:
    def site_of(cursor: Any, _: Any, __: Any) -> Site | Said | None:
        return peer_of(cursor.connection, _find).operation(name) if watching.is_on else None

    return Calls(site_of, _counted)


def _counted(cursor: Any, _: Any, *_args: Any) -> Kwargs | Pair | None:
    if cursor.description is not None:
        return rows(returned=cursor.rowcount)
    return rows(affected=cursor.rowcount)


def _counted_by_batch(cursor: Any, _: Any, args: Args) -> Kwargs | Pair | None:
    return rows(affected=cursor.rowcount, batch=args[1] if len(args) > 1 else None)


def _ending(name: str) -> Calls:
    def site_of(connection: Any, _: Any, __: Any) -> Site | Said | None:
        if not watching.is_on or connection.status not in IN_TRANSACTION:
            return None
        return peer_of(connection, _find).operation(name)

    return Calls(site_of)


def _watched(calls: Calls, original: Function) -> Function:
    return wraps(original)(calls.sync(original))


_STATEMENTS, _BATCHES, _COPIES = (
    Calls(_statement, _counted),
    Calls(_batch, _counted_by_batch),
    _named("COPY"),
)


class cursor(extensions.cursor):  # type: ignore[misc]  # noqa: N801 - the name it passes for
    """A cursor whose statements are spans."""

    __module__, __qualname__ = "psycopg2.extensions", "cursor"

    execute = _watched(_STATEMENTS, extensions.cursor.execute)
    executemany = _watched(_BATCHES, extensions.cursor.executemany)
    callproc = _watched(_named("CALL"), extensions.cursor.callproc)
    copy_expert = _watched(_STATEMENTS, extensions.cursor.copy_expert)
    copy_from = _watched(_COPIES, extensions.cursor.copy_from)
    copy_to = _watched(_COPIES, extensions.cursor.copy_to)


class connection(extensions.connection):  # type: ignore[misc]  # noqa: N801 - the name it passes for
    """A connection of watched cursors."""

    __module__, __qualname__ = "psycopg2.extensions", "connection"
    _qmon_is_watched = True

    def cursor(
        self, name: Any = None, cursor_factory: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        made = CURSORS.of(cursor_factory or self.cursor_factory or extensions.cursor)
        return extensions.connection.cursor(self, name, made, *args, **kwargs)

    commit = _watched(_ending("COMMIT"), extensions.connection.commit)
    rollback = _watched(_ending("ROLLBACK"), extensions.connection.rollback)


CURSORS = Subclasses(cursor, extensions.cursor)
CONNECTIONS = Subclasses(connection, extensions.connection)
