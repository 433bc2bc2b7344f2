"""The state store: systems, alerts, incidents, outbox and tokens behind one DSN."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Error as SQLiteError
from threading import Event, RLock
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from qmon_agent.domain.clock import Clock, SystemClock
from qmon_agent.domain.errors import StateAwayError, StateOwnedError, StoreError

from . import schema, sqlite
from .ailing import is_readonly, may_pass
from .catalog import Catalog
from .erasing import Erasing
from .forgettings import Forgettings
from .groups import Groups
from .handlings import Handlings
from .histories import Histories
from .holds import Holds
from .homes import Home, home_of
from .incidents import Incidents
from .outbox import Outbox
from .owning import Ownership
from .presence import Presence
from .silences import Silences
from .tokens import Tokens
from .views import read_view


class StateStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is, how large, what was done to it at the start, and what is wrong with it now."""

    path: str
    engine: str
    bytes: int
    set_aside: str = ""
    backup: str = ""
    owned: bool = False
    trouble: str = ""


class StateStore:
    """One database, many readers, one writer at a time; safe from any thread, blocking briefly."""

    def __init__(self, home: Home, clock: Clock) -> None:
        """Hold an engine whose schema is current; use `open`."""
        self.clock = clock
        self.set_aside: Path | None = None
        self.backup = ""
        """What was before a migration: a file, or a schema of the same database."""
        self.catalog = Catalog(self)
        self.incidents = Incidents(self)
        self.groups = Groups(self)
        self.handlings = Handlings(self)
        self.histories = Histories(self)
        self.silences = Silences(self)
        self.holds = Holds(self)
        self.forgettings = Forgettings(self)
        self.erasing = Erasing(self)
        self.outbox = Outbox(self)
        self.tokens = Tokens(self)
        self._home = home
        self._engine = home.engine()
        self._presence = Presence(home.away_s)
        self._ownership: Ownership | None = None
        self._taken = self._refused = ""
        self._reading = _steady(self._engine)
        self._writing = self._engine.execution_options(**{sqlite.WRITES: True})
        self._one_writer = RLock()
        self._closed = Event()

    @classmethod
    def open(
        cls, dsn: str, clock: Clock | None = None, *, password: str = "", owner: str = ""
    ) -> StateStore:
        """Open or create; a damaged file is set aside (`.set_aside` says where), never fatal.

        `owner`: the name of an agent, which has it alone from now on; raises StateOwnedError.
        """
        clock = clock or SystemClock()
        home = home_of(dsn, password)
        try:
            aside = home.prepare(clock.now())
            store = cls(home, clock)
            store.set_aside = aside
            store._bring_up(owner)
        except (SQLAlchemyError, SQLiteError, OSError) as error:
            reason = str(error).partition("\n(Background")[0]
            kind = StateAwayError if _is_away(error, home) else StoreError
            raise kind(f"the state database {home.name} cannot be opened: {reason}") from error
        return store

    def _bring_up(self, owner: str) -> None:
        now = self.clock.now()
        try:
            # Nobody else's state is migrated: first it has to be ours.
            self._ownership = Ownership(self._home, self._engine, owner) if owner else None
            with self._home.unhurried():
                self.backup = schema.bring_up(self._home, self._engine, now)
            if self._ownership:
                self._ownership.begin(self._engine, now)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for questions, which all see the same moment."""
        with _translated(), self._in_use(), self._connected(self._reading) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction, committed to disk at the end or not at all; the owner's, if there is one.

        Where StoreError is raised by its end, it may have been committed all the same.
        """
        with _translated(), self._one_writer, self._in_use():
            self._presence.check()
            self._look_at_lock()
            with (
                self._noting_refusal(),
                self._connected(self._writing) as connection,
                connection.begin(),
            ):
                self._check_ownership(connection)
                yield connection

    @contextmanager
    def _noting_refusal(self) -> Iterator[None]:
        """Of a disk that does not take it now."""
        try:
            yield
        except SQLAlchemyError as error:
            if may_pass(error) or is_readonly(error):
                self._refused = f"the state database refuses: {_reason(error)}"
            raise
        self._refused = ""

    def _look_at_lock(self) -> None:
        try:
            if self._ownership:
                self._ownership.keep()
        except SQLAlchemyError as error:
            self._lost(error)
            raise
        except StateOwnedError as error:
            self._taken = str(error)
            raise

    def _check_ownership(self, connection: Connection) -> None:
        try:
            if self._ownership:
                self._ownership.check(connection)
        except StateOwnedError as error:
            self._taken = str(error)
            raise
        self._taken = ""

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        self._presence.check()
        try:
            connection = engine.connect()
        except SQLAlchemyError as error:
            self._note_loss(error)
            raise
        try:
            with connection, _dropping_readonly(connection):
                yield connection
        except DBAPIError as error:
            if error.connection_invalidated and not is_readonly(error):
                self._note_loss(error)
            raise
        self._presence.found()

    def _note_loss(self, error: SQLAlchemyError) -> None:
        """It is to be asked who owns it; raises StateAwayError of an engine that may be away."""
        if self._ownership:
            self._ownership.doubt()
        self._lost(error)

    def _lost(self, error: SQLAlchemyError) -> None:
        self._presence.lost(_reason(error))
        if self._presence.trouble:
            raise StateAwayError(self._presence.trouble) from error

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

    def settle(self) -> None:
        """What was deleted leaves the files, too, as far as it is up to us; blocks for a moment."""
        with _translated():
            self._home.settle()

    def view(self, name: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Columns and rows of one of `VIEWS`, for `query`."""
        with self.reading() as connection:
            return read_view(connection, name)

    def forget(self, before: int) -> dict[str, int]:
        """Delete what was settled before this moment, and say how much of each."""
        with self._home.unhurried():
            return {
                "notifications": self.outbox.forget(before),
                "incidents": self.incidents.forget(before),
                "silences": self.silences.forget(before),
                "analytics": self.catalog.forget_analytics(before),
            }

    @property
    def trouble(self) -> str:
        """What is wrong now: away, another agent's, or not to be written; from any thread."""
        return self._presence.trouble or self._taken or self._refused

    def status(self) -> StateStatus:
        """Where it is, and how it is; the size of one that is away is not known."""
        return StateStatus(
            path=self._home.name,
            engine=self._engine.dialect.name,
            bytes=self._size(),
            set_aside=str(self.set_aside or ""),
            backup=self.backup,
            owned=self._ownership is not None,
            trouble=self.trouble,
        )

    def _size(self) -> int:
        try:
            self._presence.check()
            return self._home.size(self._engine)
        except (StoreError, SQLAlchemyError):
            return 0

    def close(self) -> None:
        """Close every connection, those in use when they are given back; no other is made."""
        self._closed.set()
        # Not the engine's `dispose`: that begins a new pool, and what is in use would never close.
        self._engine.pool.dispose()
        if self._ownership:
            self._ownership.release()


@contextmanager
def _dropping_readonly(connection: Connection) -> Iterator[None]:
    """No other may get it: it never writes again."""
    try:
        yield
    except DBAPIError as error:
        if is_readonly(error):
            connection.invalidate()
        raise


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        kind = StateAwayError if may_pass(error) else StoreError
        raise kind(f"the state database refuses: {_reason(error)}") from error


def _is_away(error: Exception, home: Home) -> bool:
    if home.away_s:
        return isinstance(error, OperationalError)
    return may_pass(error, Path(home.name))


def _reason(error: SQLAlchemyError) -> str:
    """The first line of what the driver said."""
    said = str(getattr(error, "orig", None) or error)
    return said.strip().partition("\n")[0]


def _steady(engine: Engine) -> Engine:
    # SQLite gives every transaction one view; PostgreSQL does where it is asked to.
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ")
