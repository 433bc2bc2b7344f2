"""Totals of what travels as deltas: durable, added up once per batch, and not held in memory."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import RLock
from typing import Any

import msgspec

from qmon_sdk.protocol.buckets import fold
from qmon_sdk.protocol.signals import Buckets, Point

# Beyond so many a distribution is no measurement: somebody wrote it by hand.
MOST_BUCKETS = 4096
_TABLES = """
CREATE TABLE IF NOT EXISTS totals (
  key BLOB PRIMARY KEY, last_ms INTEGER, total BLOB, heard_ms INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS arrived (one INTEGER PRIMARY KEY, batch TEXT);
"""
_HEARD = "ALTER TABLE totals ADD COLUMN heard_ms INTEGER NOT NULL DEFAULT 0"
_PAGE = 500
# Looking for what is old reads the whole table.
_SELDOM = 256


class Total(msgspec.Struct, frozen=True, array_like=True):
    """One series up to now: a counter's or a distribution's sum since `start_ms`, or a gauge."""

    kind: str
    start_ms: int
    last_ms: int
    value: float = 0.0
    count: int = 0
    buckets: Buckets = {}
    unit: str = ""

    def add(self, point: Point, at_ms: int) -> Total:
        """With one more point, at a time that is the series' own."""
        if self.kind == "gauge":
            return msgspec.structs.replace(self, value=point.value, last_ms=at_ms)
        buckets, count = self.buckets, self.count
        if self.kind == "distribution":
            buckets = fold([self.buckets, point.buckets])
            count += max(point.count, sum(point.buckets.values()))
        value = self.value + point.value
        return msgspec.structs.replace(
            self, value=value, last_ms=at_ms, count=count, buckets=buckets
        )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Total).decode


class Totals:
    """What has arrived, and on top of it what the batch under way adds; `keep` makes it one.

    A batch is added up once: its id is kept in the same transaction.
    """

    def __init__(
        self, path: Path | None = None, *, steady_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._steady_s = steady_s
        self._since_ms = 0
        self._changed: dict[bytes, Total] = {}
        self._connection: Any = None
        self._lock = RLock()
        self._kept = 0

    def has(self, batch: str) -> bool:
        """Whether this batch has been added up: then it has arrived, and only its place is old."""
        with self._lock:
            row = self._open().execute("SELECT batch FROM arrived").fetchone()
        return row is not None and row[0] == batch

    def begin(self) -> None:
        """Forgets what was added and not kept."""
        self._changed = {}

    def get(self, key: bytes) -> Total | None:
        if (changed := self._changed.get(key)) is not None:
            return changed
        return self.kept(key)

    def kept(self, key: bytes) -> Total | None:
        """As it was before the batch under way."""
        with self._lock:
            rows = self._open().execute("SELECT total FROM totals WHERE key = ?", (key,))
            row = rows.fetchone()
        return None if row is None else _decode(row[0])

    def put(self, key: bytes, total: Total) -> None:
        self._changed[key] = total

    def keep(self, batch: str, *, older_than_ms: int = 0, unheard_ms: int | None = None) -> None:
        """Durably; what nobody has spoken of for long is let go and would begin at zero again.

        How long: by the times of the points, or by our own time of hearing.
        """
        with self._lock, self._transaction() as link:
            now_ms = self._now_ms()
            link.executemany(
                "INSERT OR REPLACE INTO totals VALUES (?, ?, ?, ?)",
                [(key, each.last_ms, _encode(each), now_ms) for key, each in self._changed.items()],
            )
            link.execute("INSERT OR REPLACE INTO arrived VALUES (1, ?)", (batch,))
            if self._kept % _SELDOM == 0:
                link.execute("DELETE FROM totals WHERE last_ms < ?", (older_than_ms,))
                if unheard_ms is not None:
                    link.execute("DELETE FROM totals WHERE heard_ms < ?", (now_ms - unheard_ms,))
        self._kept += 1
        self._changed = {}

    def mend(self, error: sqlite3.DatabaseError) -> str:
        """After trouble with the file: says what it was, and begins a damaged one anew."""
        self.close()
        if self._path is not None and not isinstance(error, sqlite3.OperationalError):
            forget(self._path)
        return f"the totals cannot be kept: {error}"

    def heard_within(self, ago_ms: int) -> Iterator[tuple[bytes, Total]]:
        """Those heard of so lately, in the order of their keys, some at a time.

        No clock that can be set is asked, and while nobody is here to hear no time passes.
        """
        after = b""
        while True:
            with self._lock:
                rows = self._open().execute(
                    "SELECT key, total FROM totals WHERE key > ? AND heard_ms >= ? "
                    "ORDER BY key LIMIT ?",
                    (after, self._now_ms() - ago_ms, _PAGE),
                ).fetchall()  # fmt: skip
            yield from ((key, _decode(total)) for key, total in rows)
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        link = self._open()
        link.execute("BEGIN IMMEDIATE")
        try:
            yield link
        except BaseException:
            link.execute("ROLLBACK")
            raise
        link.execute("COMMIT")

    def _now_ms(self) -> int:
        """Goes on where it was when the file was last written to."""
        return self._since_ms + int(self._steady_s() * 1000)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connected()
            (last_ms,) = self._connection.execute("SELECT max(heard_ms) FROM totals").fetchone()
            self._since_ms = (last_ms or 0) - int(self._steady_s() * 1000)
        link: sqlite3.Connection = self._connection
        return link

    def _connected(self) -> sqlite3.Connection:
        """A file that is damaged is begun anew: counters start again, which their readers know."""
        try:
            return self._made()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) or self._path is None:
                raise
            forget(self._path)
            return self._made()

    def _made(self) -> sqlite3.Connection:
        # Without a path: a file that has no name and ends with the connection.
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        link = sqlite3.connect(self._path or "", isolation_level=None, check_same_thread=False)
        try:
            link.execute("PRAGMA journal_mode = WAL")
            link.execute("PRAGMA synchronous = FULL")
            link.executescript(_TABLES)
            if "heard_ms" not in {
                column[1] for column in link.execute("PRAGMA table_info(totals)")
            }:
                link.execute(_HEARD)
        except sqlite3.Error:
            link.close()
            raise
        return link


def forget(path: Path) -> None:
    """The file and what lies beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
