"""PostgreSQL by psycopg 3, plain and asynchronous: statements, copies, pipelines, transactions."""

from __future__ import annotations

from ._around import Calls
from ._database import Peer, batch_size, peer, peer_of, rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from qmon_sdk.recorder.sites import Site

    from ._sites import Pair, Said
    from ._watch import Watch

    Args = tuple[Any, ...]
    Kwargs = dict[str, Any]

SYSTEM = "postgresql"
IDLE = 0  # of a connection's transaction
_QUEUED = "_qmon_queued"
TUPLES = 2  # of a result's status: there are rows in it


class PsycopgIntegration:
    """Watches every connection and cursor of the process."""

    def install(self, watch: Watch) -> None:
        """Stand at the methods that talk to the server."""
        import psycopg

        for owner, methods in WATCHED.items():
            for method, calls, way in methods:
                watch.wrap(getattr(psycopg, owner), method, getattr(calls, way))
        watch.wrap(psycopg, "connect", _unbound)
        for server_cursor in (psycopg.ServerCursor, psycopg.AsyncServerCursor):
            if hasattr(server_cursor, "_fetch_gen"):  # what fetching and iterating come down to
                watch.wrap(server_cursor, "_fetch_gen", FETCHES.generator)


def _unbound(_: Any) -> Any:
    """Find the method anew, which psycopg has bound when it was imported."""
    import psycopg

    def connect(*args: Any, **kwargs: Any) -> Any:
        return psycopg.Connection.connect(*args, **kwargs)

    return connect


def _statement(cursor: Any, args: Args, kwargs: Kwargs) -> Site | Said | None:
    query = args[0] if args else kwargs.get("query", kwargs.get("statement"))
    return peer_of(cursor.connection, _find).statement(_text(query, cursor))


def _batch(cursor: Any, args: Args, kwargs: Kwargs) -> Site | Said | None:
    query = args[0] if args else kwargs.get("query")
    size = batch_size(args[1] if len(args) > 1 else kwargs.get("params_seq"))
    found = peer_of(cursor.connection, _find)
    return found.statement(_text(query, cursor), in_batch=size != 1)


def _text(query: Any, cursor: Any) -> Any:
    if isinstance(query, str | bytes) or not hasattr(query, "as_string"):
        return query
    try:
        return query.as_string(cursor)
    except Exception:  # noqa: BLE001 - psycopg will say what is wrong with it
        return None


def _find(connection: Any) -> Peer:
    about = connection.info
    try:
        return peer(SYSTEM, about.dbname, address=about.host, port=about.port)
    except Exception:  # noqa: BLE001 - a connection that is gone has no parameters
        return peer(SYSTEM)


def _counted(cursor: Any, _: Any, *_args: Any) -> Kwargs | Pair | None:
    result = cursor.pgresult
    if result is None:  # in a pipeline, whose results come later
        return None
    if result.status == TUPLES:
        return rows(returned=result.ntuples)
    return rows(affected=cursor.rowcount)


def _changed(cursor: Any, _: Any, *_args: Any) -> Kwargs | Pair | None:
    return rows(affected=cursor.rowcount)


def _changed_by_batch(cursor: Any, _: Any, args: Args) -> Kwargs | Pair | None:
    return rows(affected=cursor.rowcount, batch=args[1] if len(args) > 1 else None)


def _fetching(cursor: Any, _: Args, __: Kwargs) -> Site | Said | None:
    return peer_of(cursor.connection, _find).operation("FETCH")


def _fetched(_: Any, fetched: Any, *_args: Any) -> Kwargs | Pair | None:
    return rows(returned=len(fetched))


def _connect(_: Any, args: Args, kwargs: Kwargs) -> Site | Said | None:
    from psycopg.conninfo import conninfo_to_dict

    connection = ("autocommit", "prepare_threshold", "context", "row_factory", "cursor_factory")
    about = {name: value for name, value in kwargs.items() if name not in connection}
    try:
        said = conninfo_to_dict(*args[:1], **about)
    except Exception:  # noqa: BLE001 - psycopg will say what is wrong with it
        said = {}
    found = peer(SYSTEM, said.get("dbname"), address=said.get("host"), port=said.get("port"))
    return found.operation("CONNECT")


def _ending(name: str) -> Calls:
    def site_of(connection: Any, _: Args, __: Kwargs) -> Site | Said | None:
        if connection.pgconn.transaction_status == IDLE:
            return None
        return peer_of(connection, _find).operation(name)

    return Calls(site_of)


def _beginning(transaction: Any, _: Args, __: Kwargs) -> Site | Said | None:
    connection = transaction.connection
    is_outer = connection.pgconn.transaction_status == IDLE
    return peer_of(connection, _find).operation("BEGIN" if is_outer else "SAVEPOINT")


def _leaving(transaction: Any, raised: Args, _: Kwargs) -> Site | Said | None:
    undone = transaction.force_rollback or (raised and raised[0] is not None)
    name = "ROLLBACK" if undone else "COMMIT"
    if not getattr(transaction, "_outer_transaction", True):
        name = "ROLLBACK TO" if undone else "RELEASE"
    return peer_of(transaction.connection, _find).operation(name)


def _synchronizing(pipeline: Any, _: Args, __: Kwargs) -> Site | Said | None:
    connection = pipeline._conn  # noqa: SLF001 - it has no other name
    if not pipeline.result_queue or pipeline._lock is not connection.lock:  # noqa: SLF001 - of `executemany`
        return None
    vars(pipeline)[_QUEUED] = pipeline.result_queue.copy()
    return peer_of(connection, _find).operation("PIPELINE")


def _synchronized(pipeline: Any, _: Any, __: Args) -> Kwargs | Pair | None:
    return rows(batch=list(vars(pipeline).pop(_QUEUED, ())))


STATEMENTS, BATCHES = Calls(_statement, _counted), Calls(_batch, _changed_by_batch)
COPIES, STREAMS = Calls(_statement, _changed), Calls(_statement)
FETCHES, PIPELINES = Calls(_fetching, _fetched), Calls(_synchronizing, _synchronized)
BEGINNINGS, LEAVINGS = Calls(_beginning), Calls(_leaving)
COMMITS, ROLLBACKS, CONNECTS = _ending("COMMIT"), _ending("ROLLBACK"), Calls(_connect)

WATCHED = {
    "Cursor": (
        ("execute", STATEMENTS, "sync"),
        ("executemany", BATCHES, "sync"),
        ("stream", STREAMS, "generator"),
        ("copy", COPIES, "block"),
    ),
    "AsyncCursor": (
        ("execute", STATEMENTS, "coroutine"),
        ("executemany", BATCHES, "coroutine"),
        ("stream", STREAMS, "async_generator"),
        ("copy", COPIES, "block"),
    ),
    "ServerCursor": (("execute", STATEMENTS, "sync"),),
    "AsyncServerCursor": (("execute", STATEMENTS, "coroutine"),),
    "Connection": (
        ("connect", CONNECTS, "sync"),
        ("commit", COMMITS, "sync"),
        ("rollback", ROLLBACKS, "sync"),
    ),
    "AsyncConnection": (
        ("connect", CONNECTS, "coroutine"),
        ("commit", COMMITS, "coroutine"),
        ("rollback", ROLLBACKS, "coroutine"),
    ),
    "Transaction": (("__enter__", BEGINNINGS, "sync"), ("__exit__", LEAVINGS, "sync")),
    "AsyncTransaction": (
        ("__aenter__", BEGINNINGS, "coroutine"),
        ("__aexit__", LEAVINGS, "coroutine"),
    ),
    "Pipeline": (("sync", PIPELINES, "sync"), ("__exit__", PIPELINES, "sync")),
    "AsyncPipeline": (("sync", PIPELINES, "coroutine"), ("__aexit__", PIPELINES, "coroutine")),
}
"""Class → its methods, what they do, and what sort of function each is."""
