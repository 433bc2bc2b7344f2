"""Where a state lives: in a file of SQLite, or in a database of PostgreSQL, as its DSN says."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine, make_url
from sqlalchemy.exc import ArgumentError

from qmon_agent.domain.errors import ConfigError

from .postgresql import PostgresqlHome
from .sqlite import SqliteHome

SCHEMES = ("sqlite", "postgresql")


class Lock(Protocol):
    """What only one agent has; every call may block for seconds where a server is far."""

    def take(self) -> bool:
        """Have it, or have it still; no if somebody else does. Raises what the engine raises."""

    def release(self) -> None: ...


class Home(Protocol):
    """All in which the engines differ; called by `StateStore`, blocking, from any thread."""

    name: str
    """As people may read it."""
    away_s: float
    """How long at most nothing is tried where the engine did not answer; 0: it is always there."""

    def prepare(self, now: int) -> Path | None: ...
    def engine(self) -> Engine: ...
    def lock(self) -> Lock: ...
    def backup(self, engine: Engine, name: str) -> str: ...
    def size(self, engine: Engine) -> int: ...
    def settle(self) -> None: ...
    def unhurried(self) -> AbstractContextManager[None]:
        """What this thread asks meanwhile may take long, without the engine counting as away."""


def home_of(dsn: str, password: str = "") -> Home:
    """The home that a DSN names; a ConfigError says what is wrong with one that names none."""
    try:
        url = make_url(dsn)
    except (ArgumentError, ValueError):
        raise ConfigError("store.state", f"is no DSN (write {_WRITE})") from None
    if url.get_backend_name() == "postgresql":
        return PostgresqlHome(url, password)
    if url.get_backend_name() != "sqlite":
        raise ConfigError("store.state", f"no state store for {url.drivername!r}", SCHEMES)
    if not url.database or url.database == ":memory:":
        raise ConfigError("store.state", "the state needs a file (write sqlite:///PATH)")
    return SqliteHome(Path(url.database).expanduser())


def path_of(dsn: str) -> Path:
    """The file behind `sqlite:///PATH`; any other address is a ConfigError."""
    home = home_of(dsn)
    if not isinstance(home, SqliteHome):
        raise ConfigError("store.state", "is not kept in a file (write sqlite:///PATH)")
    return home.path


_WRITE = "sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE"
