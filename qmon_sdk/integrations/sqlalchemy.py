"""SQLAlchemy, plain and asynchronous: statements of drivers that qmon does not know.

One layer speaks. Where the driver below is watched, its spans say more (connections, commits, what
goes past SQLAlchemy), and this integration is silent for that connection; so no statement is told
twice. For all other drivers the engine's events tell of statements, commits and rollbacks.
"""

from __future__ import annotations

from functools import partial

from qmon_sdk.client import current, guarded

from ._around import Calls
from ._database import WATCHED, Peer, batch_size, peer, peer_of, rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qmon_sdk.recorder.sites import Site

    from ._openings import Opened
    from ._sites import Pair, Said
    from ._watch import Watch

    Args = tuple[Any, ...]
    Kwargs = dict[str, Any]

SYSTEMS = {
    "mariadb": "mariadb",
    "mssql": "microsoft.sql_server",
    "mysql": "mysql",
    "oracle": "oracle.db",
    "postgresql": "postgresql",
    "sqlite": "sqlite",
}
"""SQLAlchemy's dialects → OpenTelemetry's systems."""

DRIVERS = {
    "aiosqlite": "aiosqlite",
    "asyncpg": "asyncpg",
    "psycopg": "psycopg",
    "psycopg_async": "psycopg",
    "psycopg2": "psycopg2",
    "pysqlite": "sqlite3",
}
"""SQLAlchemy's names of drivers → the integrations that watch them."""

BY_CLASS = ("psycopg2", "pysqlite")

_OPENING = "_qmon_opening"


class SqlalchemyIntegration:
    """Listens to every engine of the process."""

    def install(self, watch: Watch) -> None:
        """Listen to the class of engines, so that those there are and those to come are heard."""
        from sqlalchemy import event
        from sqlalchemy.engine import Connection, Engine

        for name, listener in LISTENERS.items():
            event.listen(Engine, name, listener)
            watch.undo_by(partial(event.remove, Engine, name, listener))
        for method, calls in (("_commit_impl", COMMITS), ("_rollback_impl", ROLLBACKS)):
            if hasattr(Connection, method):  # its events tell of no end
                watch.wrap(Connection, method, calls.sync)


@guarded
def _begin(conn: Any, _: Any, *told: Any) -> None:
    statement, parameters, context, is_batch = told
    if context is None or _is_watched_below(conn):
        return
    args = (statement, parameters if is_batch else None)
    # Aside: of its end nothing is heard if another listener raises.
    context.__dict__[_OPENING] = STATEMENTS.begin(conn, args, {}, aside=True)


@guarded
def _end(_: Any, cursor: Any, *told: Any) -> None:
    statement, parameters, context, is_batch = told
    opening = _taken(context)
    if opening is not None:
        STATEMENTS.end(opening, cursor, None, (statement, parameters if is_batch else None))


@guarded
def _fail(failure: Any) -> None:
    opening = _taken(failure.execution_context)
    if opening is not None:
        STATEMENTS.fail(opening, failure.original_exception)


def _taken(context: Any) -> Opened | None:
    opening: Opened | None = getattr(context, "__dict__", {}).pop(_OPENING, None)
    return opening


def _is_watched_below(conn: Any) -> bool:
    """Say whether the driver tells of this connection itself."""
    driver = conn.dialect.driver
    name = DRIVERS.get(driver)
    if name is None or str(current().integrations.get(name, "")) != "watching":
        return False
    # Classes of C are watched from the opening of a connection on: a pool may have older ones.
    return driver not in BY_CLASS or hasattr(conn.connection.dbapi_connection, WATCHED)


def _statement(conn: Any, args: Args, _: Kwargs) -> Site | Said | None:
    statement, batch = args
    in_batch = batch is not None and batch_size(batch) != 1
    return _peer(conn).statement(statement, in_batch=in_batch)


def _ending(name: str) -> Calls:
    def site_of(conn: Any, _: Args, __: Kwargs) -> Site | Said | None:
        return None if _is_watched_below(conn) else _peer(conn).operation(name)

    return Calls(site_of)


def _peer(conn: Any) -> Peer:
    return peer_of(conn.engine, _find)


def _find(engine: Any) -> Peer:
    url, name = engine.url, engine.dialect.name
    nameless = ":memory:" if name == "sqlite" else ""
    return peer(SYSTEMS.get(name, name), url.database or nameless, address=url.host, port=url.port)


def _counted(cursor: Any, _: Any, args: Args) -> Kwargs | Pair | None:
    if cursor.description is not None:
        return None  # drivers differ in what they count before the rows are read
    return rows(affected=cursor.rowcount, batch=args[1])


STATEMENTS = Calls(_statement, _counted)
COMMITS, ROLLBACKS = _ending("COMMIT"), _ending("ROLLBACK")

LISTENERS: dict[str, Callable[..., Any]] = {
    "before_cursor_execute": _begin,
    "after_cursor_execute": _end,
    "handle_error": _fail,
}
