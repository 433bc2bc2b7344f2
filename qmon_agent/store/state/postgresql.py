"""Everything only PostgreSQL needs: how it is reached, its session lock, copies in a schema."""

from __future__ import annotations

import importlib.util
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from qmon_agent.domain.errors import ConfigError, StoreError

from .tables import METADATA

CONNECT_TIMEOUT_S = 3
LONGEST_AWAY_S = 5.0
# A machine that is gone is noticed by the server within half a minute, and its lock is free.
SESSION = (
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 "
    "-c client_min_messages=error"
)
_KEY = "hashtextextended('qmon state ' || current_schema(), 0)"
_TAKE = text(f"SELECT pg_try_advisory_lock({_KEY})")
_VERSION = "alembic_version"


class PostgresqlHome:
    """One schema of one database: the first of the search path, which is mostly `public`."""

    away_s = LONGEST_AWAY_S

    def __init__(self, url: URL, password: str = "") -> None:
        """`password`: beside the DSN, which is shown to people; one in the DSN counts as well."""
        if importlib.util.find_spec("psycopg") is None:
            raise ConfigError("store.state", "PostgreSQL needs: pip install 'qmon[postgres]'")
        self._url = url.set(drivername="postgresql+psycopg")
        if password:
            self._url = self._url.set(password=password)
        port = f":{url.port}" if url.port else ""
        self.name = f"postgresql://{url.host or ''}{port}/{url.database or ''}"

    def prepare(self, now: int) -> Path | None:
        """There is nothing to be set aside: what is damaged, the server says."""
        del now
        return None

    def engine(self) -> Engine:
        engine = create_engine(
            self._url,
            connect_args=self._arguments(),
            # What a restart of the server has closed is found out before it is needed.
            pool_pre_ping=True,
            pool_timeout=CONNECT_TIMEOUT_S,
        )
        event.listen(engine, "connect", _prepare_connection)
        event.listen(engine, "do_connect", _connect)
        return engine

    def lock(self) -> SessionLock:
        engine = create_engine(
            self._url,
            connect_args=self._arguments(),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
        )
        event.listen(engine, "do_connect", _connect)
        return SessionLock(engine)

    def unhurried(self) -> AbstractContextManager[None]:
        from .patient import unhurried

        return unhurried()

    def backup(self, engine: Engine, name: str) -> str:
        """A schema beside it, with the rows of every table of ours; empty if there is none."""
        ours = {*METADATA.tables, _VERSION}
        schema = _quoted("qmon_" + name.replace("-", "_"))
        with engine.begin() as connection:
            found = sorted(ours & {*inspect(connection).get_table_names()})
            if not found:
                return ""
            connection.execute(text(f"CREATE SCHEMA {schema}"))
            for table in map(_quoted, found):
                connection.execute(text(f"CREATE TABLE {schema}.{table} AS TABLE {table}"))
        return f"schema {schema.strip(chr(34))}"

    def size(self, engine: Engine) -> int:
        tables = ", ".join(f"(to_regclass('{name}'))" for name in METADATA.tables)
        asked = f"SELECT sum(pg_total_relation_size(each)) FROM (VALUES {tables}) AS t(each)"  # noqa: S608 - names of ours
        with engine.connect() as connection:
            return int(connection.execute(text(asked)).scalar() or 0)

    def settle(self) -> None:
        """When old rows leave its files is the server's business (VACUUM)."""

    def _arguments(self) -> dict[str, Any]:
        theirs = str(self._url.query.get("options", ""))
        return {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "qmon-agent",
            "tcp_user_timeout": 10_000,
            "options": f"{SESSION} {theirs}".strip(),
        }


class SessionLock:
    """An advisory lock, which lasts as long as one connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def take(self) -> bool:
        """Where the connection was lost, so was the lock: it is taken again, if nobody has it."""
        if self._connection is not None and self._is_there(self._connection):
            return True
        self.release()
        connection = self._engine.connect()
        try:
            is_ours = bool(connection.execute(_TAKE).scalar())
        except BaseException:
            connection.close()
            raise
        if is_ours:
            self._connection = connection
        else:
            connection.close()
        return is_ours

    def release(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    @staticmethod
    def _is_there(connection: Connection) -> bool:
        try:
            connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return False
        return True


def refuse_other_encodings(connection: Connection) -> None:
    """A StoreError where the database cannot hold every text."""
    encoding = connection.execute(text("SHOW server_encoding")).scalar()
    if encoding != "UTF8":
        raise StoreError(f"the state database is in {encoding}; make one with ENCODING 'UTF8'")


def _connect(_dialect: object, _record: object, arguments: Any, options: Any) -> Any:
    from .patient import PatientConnection

    return PatientConnection.connect(*arguments, **options)


def _prepare_connection(connection: Any, _record: object) -> None:
    from psycopg.types.string import StrDumper

    class Whole(StrDumper):
        """PostgreSQL has no text with a zero in it, and anybody may send us one."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)

    connection.adapters.register_dumper(str, Whole)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
