"""Everything only SQLite needs: pragmas, the check of a file at start, setting aside, backup."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

from .ailing import is_unread

WRITES = "qmon_writes"
BUSY_TIMEOUT_MS = 5_000
BESIDE = ("", "-wal", "-shm")

# FULL: what somebody was told is kept (a token, an incident) has to survive a power cut too.
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-2048",
    # What was deleted shall not be found in the file, where that costs no more writing.
    "PRAGMA secure_delete=FAST",
)


class SqliteHome:
    """One file, and what SQLite and we keep beside it."""

    away_s = 0.0

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    def prepare(self, now: int) -> Path | None:
        return prepare(self.path, now)

    def engine(self) -> Engine:
        engine = create_engine(f"sqlite:///{self.path}")
        attach(engine)
        return engine

    def lock(self) -> FileLock:
        return FileLock(self.path.with_name(f"{self.path.name}.lock"))

    def backup(self, engine: Engine, name: str) -> str:
        """A file beside it."""
        del engine  # the driver's own interface does it
        target = Path(f"{self.path}.{name}")
        backup(self.path, target)
        return str(target)

    def size(self, engine: Engine) -> int:
        del engine
        sizes = (self.path.with_name(self.path.name + ending) for ending in BESIDE)
        return sum(each.stat().st_size for each in sizes if each.exists())

    def unhurried(self) -> AbstractContextManager[None]:
        """A file answers, or says why not."""
        return nullcontext()

    def settle(self) -> None:
        """Into the file with what its log holds, so that nothing older is in either of them."""
        with closing(sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_MS / 1_000)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class FileLock:
    """Of the kernel, on a file beside the database; it ends with its process at the latest."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def take(self) -> bool:
        if self._descriptor >= 0:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        # The file stays: removing it would let two agents lock two files of one name.
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def prepare(path: Path, now: int) -> Path | None:
    """Make room for the file; a damaged one is renamed, and where to is the answer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or _is_sound(path):
        return None
    # It also finds damage where the disk has not read; what is read whole is looked at once more.
    _read(path)
    if _is_sound(path):
        return None
    aside = path.with_name(f"{path.name}.damaged-{now}")
    for ending in BESIDE:
        beside = path.with_name(path.name + ending)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + ending))
    return aside


def _read(path: Path) -> None:
    """All of the file and its log; raises OSError where the disk does not."""
    for ending in BESIDE[:2]:
        beside = path.with_name(path.name + ending)
        if beside.exists():
            with beside.open("rb") as file:
                while file.read(1 << 20):
                    pass


def _is_sound(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1_000)) as connection:
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if is_unread(said):
                raise OSError(errno.EIO, said, str(path))
            return bool(said == "ok")
    except sqlite3.OperationalError as error:
        # Busy, full or forbidden is trouble around the file, and no reason to throw it away.
        if error.sqlite_errorcode not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}:
            raise
        return False
    except sqlite3.DatabaseError:
        return False


def attach(engine: Engine) -> None:
    """Let every connection of this engine follow our pragmas and begin its own transactions."""
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin)


def _prepare_connection(connection: Any, _record: object) -> None:
    # The driver's own idea of when to begin would leave DDL and reads outside of transactions.
    connection.isolation_level = None
    try:
        for pragma in PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()  # no pool knows of it yet
        raise


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    # A writer takes its place at once: one that reads first may find itself unable to go on.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def rows_of(path: Path, table: str, columns: Sequence[str]) -> list[dict[str, Any]] | None:
    """Of a database that nobody has open; None where it cannot be read, or has no such table."""
    query = f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608 - our names
    try:
        with closing(sqlite3.connect(path)) as connection:
            return [dict(zip(columns, row, strict=True)) for row in connection.execute(query)]
    except sqlite3.Error:
        return None


def backup(path: Path, target: Path) -> None:
    """Copy the database as it is now, write-ahead log included."""
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
