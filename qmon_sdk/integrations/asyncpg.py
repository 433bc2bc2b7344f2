"""PostgreSQL by asyncpg: statements, prepared ones, cursors, copies, transactions, connections."""

from __future__ import annotations

from ._around import Calls
from ._database import Peer, batch_size, peer, rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from qmon_sdk.recorder.sites import Site

    from ._sites import Pair, Said
    from ._watch import Watch

    Args = tuple[Any, ...]
    Kwargs = dict[str, Any]

SYSTEM = "postgresql"


class AsyncpgIntegration:
    """Watches every connection of the process, of pools too."""

    def install(self, watch: Watch) -> None:
        """Stand at the methods that talk to the server; transactions go through `execute`."""
        from asyncpg import connect_utils, connection, cursor, prepared_stmt

        for owner, methods in (
            (connection.Connection, OF_CONNECTIONS),
            (prepared_stmt.PreparedStatement, OF_PREPARED),
        ):
            for method, calls in methods.items():
                if hasattr(owner, method):  # `fetchmany` is new
                    watch.wrap(owner, method, calls.coroutine)
        for method in ("_bind_exec", "_exec"):
            watch.wrap(cursor.BaseCursor, method, FETCHES.coroutine)
        watch.wrap(connect_utils, "_connect", _connecting)


def _connecting(connect: Any) -> Any:
    timed = Calls(_connect).coroutine(lambda _, **kwargs: connect(**kwargs))

    async def connect_watched(**kwargs: Any) -> Any:
        return await timed(None, **kwargs)

    return connect_watched


def _connect(_: Any, __: Args, kwargs: Kwargs) -> Site | Said | None:
    from asyncpg.connect_utils import _parse_connect_arguments

    try:
        told = {name: kwargs[name] for name in kwargs if name not in _OF_OBJECTS}
        addresses, parameters, *_rest = _parse_connect_arguments(**told)
        return _peer(addresses[0], parameters).operation("CONNECT")
    except Exception:  # noqa: BLE001 - asyncpg will say what is wrong with it
        return peer(SYSTEM).operation("CONNECT")


_OF_OBJECTS = ("loop", "connection_class", "record_class")


def _peer_of(connection: Any) -> Peer:
    return _peer(connection._addr, connection._params)  # noqa: SLF001 - public only to loggers


def _peer(address: Any, parameters: Any) -> Peer:
    key = address, parameters.database
    found = _known.get(key)
    if found is None:
        host, port = address if isinstance(address, tuple) else (address, None)
        found = _known[key] = peer(SYSTEM, parameters.database, address=host, port=port)
        if len(_known) > MOST:
            _known.clear()
    return found


MOST = 256
_known: dict[tuple[Any, Any], Peer] = {}


def _statement(connection: Any, args: Args, kwargs: Kwargs) -> Site | Said | None:
    query = args[0] if args else kwargs.get("query", kwargs.get("copy_stmt"))
    return _peer_of(connection).statement(query)


def _batch(connection: Any, args: Args, kwargs: Kwargs) -> Site | Said | None:
    query = args[0] if args else kwargs.get("command", kwargs.get("query"))
    size = batch_size(args[1] if len(args) > 1 else kwargs.get("args"))
    return _peer_of(connection).statement(query, in_batch=size != 1)


def _records(connection: Any, args: Args, kwargs: Kwargs) -> Site | Said | None:
    table = args[0] if args else kwargs.get("table_name")
    return _peer_of(connection).statement(f'COPY "{table}" FROM STDIN')


def _prepared(statement: Any, _: Args, __: Kwargs) -> Site | Said | None:
    return _peer_of(statement._connection).statement(statement._query)  # noqa: SLF001


def _prepared_batch(statement: Any, args: Args, kwargs: Kwargs) -> Site | Said | None:
    size = batch_size(args[0] if args else kwargs.get("args"))
    found = _peer_of(statement._connection)  # noqa: SLF001
    return found.statement(statement._query, in_batch=size != 1)  # noqa: SLF001


def _fetching(cursor: Any, _: Args, __: Kwargs) -> Site | Said | None:
    return _peer_of(cursor._connection).statement(cursor._query)  # noqa: SLF001


def _fetched(_: Any, fetched: Any, *_args: Any) -> Kwargs | Pair | None:
    return rows(returned=len(fetched))


def _batched(_: Any, fetched: Any, args: Args) -> Kwargs | Pair | None:
    """Of a batch asyncpg says how many rows it returned, not how many it changed."""
    returned = len(fetched) if isinstance(fetched, list) else None
    return rows(returned=returned, batch=args[-1] if args else None)


def _one(_: Any, row: Any, *_args: Any) -> Kwargs | Pair | None:
    return rows(returned=0 if row is None else 1)


def _changed(_: Any, status: Any, *_args: Any) -> Kwargs | Pair | None:
    """Read how a command says it went: `INSERT 0 1`, `COPY 5`, `SELECT 2`, `CREATE TABLE`."""
    words = status.split() if isinstance(status, str) else ()
    if not words or not words[-1].isdecimal():
        return None
    number = int(words[-1])
    return rows(returned=number) if words[0] == "SELECT" else rows(affected=number)


STATEMENTS, BATCHES = Calls(_statement, _changed), Calls(_batch, _batched)
FETCHES = Calls(_fetching, _fetched)

OF_CONNECTIONS = {
    "execute": STATEMENTS,
    "executemany": BATCHES,
    "fetch": Calls(_statement, _fetched),
    "fetchmany": BATCHES,
    "fetchrow": Calls(_statement, _one),
    "fetchval": Calls(_statement),
    "_copy_in": STATEMENTS,
    "_copy_out": STATEMENTS,
    "copy_records_to_table": Calls(_records, _changed),
}
OF_PREPARED = {
    "fetch": Calls(_prepared, _fetched),
    "fetchmany": Calls(_prepared_batch, _batched),
    "fetchrow": Calls(_prepared, _one),
    "fetchval": Calls(_prepared),
    "executemany": Calls(_prepared_batch, _batched),
}
