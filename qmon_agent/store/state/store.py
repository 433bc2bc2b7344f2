"""The state store: systems, alerts, incidents, outbox and tokens behind one DSN."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Error as SQLiteError
from threading import Event, RLock
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from qmon_agent.domain.clock import Clock, SystemClock
from qmon_agent.domain.errors import ConfigError, StoreError

from . import schema, sqlite
from .catalog import Catalog
from .forgettings import Forgettings
from .groups import Groups
from .handlings import Handlings
from .histories import Histories
from .holds import Holds
from .incidents import Incidents
from .outbox import Outbox
from .silences import Silences
from .tokens import Tokens
from .views import read_view

SCHEMES = ("sqlite",)


class StateStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What happened at the start, and how large it is."""

    path: str
    bytes: int
    set_aside: str = ""
    backup: str = ""


class StateStore:
    """One database, many readers, one writer at a time; safe from any thread, blocking briefly."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        """Hold an engine whose schema is current; use `open`."""
        self.clock = clock
        self.set_aside: Path | None = None
        self.backup: Path | None = None
        self.catalog = Catalog(self)
        self.incidents = Incidents(self)
        self.groups = Groups(self)
        self.handlings = Handlings(self)
        self.histories = Histories(self)
        self.silences = Silences(self)
        self.holds = Holds(self)
        self.forgettings = Forgettings(self)
        self.outbox = Outbox(self)
        self.tokens = Tokens(self)
        self._engine = engine
        self._writing = engine.execution_options(**{sqlite.WRITES: True})
        self._one_writer = RLock()
        self._closed = Event()

    @classmethod
    def open(cls, dsn: str, clock: Clock | None = None) -> StateStore:
        """Open or create; a damaged file is set aside (`.set_aside` says where), never fatal."""
        clock = clock or SystemClock()
        path = path_of(dsn)
        try:
            aside = sqlite.prepare(path, clock.now())
            store = cls(create_engine(f"sqlite:///{path}"), clock)
            store.set_aside = aside
            store._bring_up()
        except (SQLAlchemyError, SQLiteError, OSError) as error:
            raise StoreError(f"the state database {path} cannot be opened: {error}") from error
        return store

    def _bring_up(self) -> None:
        sqlite.attach(self._engine)
        try:
            self.backup = schema.bring_up(self._engine, self.clock.now())
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for questions."""
        with _translated(), self._in_use(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction, committed to disk at the end or not at all."""
        with (
            _translated(),
            self._one_writer,
            self._in_use(),
            self._writing.begin() as connection,
        ):
            yield connection

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        if self._closed.is_set():
            raise StoreError("the state database is closed")
        try:
            yield
        finally:
            if self._closed.is_set():
                # Meanwhile, by another thread: what was in use here is in the pool again.
                self._engine.pool.dispose()

    def view(self, name: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Columns and rows of one of `VIEWS`, for `query`."""
        with self.reading() as connection:
            return read_view(connection, name)

    def forget(self, before: int) -> dict[str, int]:
        """Delete what was settled before this moment, and say how much of each."""
        return {
            "notifications": self.outbox.forget(before),
            "incidents": self.incidents.forget(before),
            "silences": self.silences.forget(before),
            "analytics": self.catalog.forget_analytics(before),
        }

    def status(self) -> StateStatus:
        """Path, size and what was done to the file at the start."""
        path = Path(self._engine.url.database or "")
        sizes = (path.with_name(path.name + ending) for ending in sqlite.BESIDE)
        return StateStatus(
            path=str(path),
            bytes=sum(each.stat().st_size for each in sizes if each.exists()),
            set_aside=str(self.set_aside or ""),
            backup=str(self.backup or ""),
        )

    def close(self) -> None:
        """Close every connection, those in use when they are given back; no other is made."""
        self._closed.set()
        # Not the engine's `dispose`: that begins a new pool, and what is in use would never close.
        self._engine.pool.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(f"the state database refuses: {error}") from error


def path_of(dsn: str) -> Path:
    """The file behind `sqlite:///PATH`; any other address is a ConfigError."""
    try:
        url = make_url(dsn)
    except ArgumentError:
        raise ConfigError("store.state", f"{dsn!r} is no DSN (write sqlite:///PATH)") from None
    if url.get_backend_name() not in SCHEMES:
        raise ConfigError("store.state", f"no state store for {url.drivername!r}", SCHEMES)
    if not url.database or url.database == ":memory:":
        raise ConfigError("store.state", "the state needs a file (write sqlite:///PATH)")
    return Path(url.database).expanduser()
