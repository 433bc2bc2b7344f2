"""The hot file: recent rows, in generations, each saying which stretch of the journal it holds.

A generation is a schema with every table. Rows are added to the last one, in the same transaction
as the place in the journal they reach to; the one before it may be on its way into Parquet. Nothing
here is precious: what a lost file held is read from the journal again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import duckdb
import msgspec
import pyarrow as pa

from qmon_agent.domain.errors import StoreError
from qmon_agent.journal import Position
from qmon_agent.store.telemetry.decoding import Batch
from qmon_agent.store.telemetry.engine import DiskFailedError, RefusedError
from qmon_agent.store.telemetry.schema import EVERY_TABLE, RESOURCES, TABLES
from qmon_agent.store.telemetry.speakers import Roll, Speaker

from . import ddl, series
from .numbering import Numbers

LAYOUT = 2
META = f"""
CREATE SCHEMA qmon;
CREATE TABLE qmon.layout AS SELECT {LAYOUT} AS version;
CREATE TABLE qmon.generations (
  number BIGINT, opened BIGINT,
  start_record BIGINT, start_segment BIGINT, start_offset BIGINT,
  record BIGINT, segment BIGINT, "offset" BIGINT);
"""
GENERATIONS = "FROM qmon.generations ORDER BY number"
ADVANCE = 'UPDATE qmon.generations SET record = ?, segment = ?, "offset" = ? WHERE number = ?'

INCOMING = "incoming_resources"

WRONG_ROWS = (
    duckdb.DataError,
    duckdb.IntegrityError,
    duckdb.InvalidInputException,
    duckdb.NotSupportedError,
)
"""What DuckDB raises for rows it will never take; anything else is about the machine."""
OF_THE_DISK = ("No space left", "Input/output error", "disk full")
"""DuckDB says so within errors of any kind: of a commit, or of a database that had to stop."""


class Generation(msgspec.Struct, frozen=True):
    """One stretch of the journal, as rows: what lies behind `start`, up to `reached`."""

    number: int
    opened: int
    start: Position
    reached: Position

    @property
    def schema(self) -> str:
        return f"g{self.number}"


class Hot:
    """Writes generations. One thread at a time."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.generations = generations(connection)
        self._counts: Counter[str] = Counter()
        self._roll = self._roll_of(self._written() if self.generations else {})
        self._numbers = Numbers(self._last_number() if self.generations else 0)

    @property
    def live(self) -> Generation:
        return self.generations[-1]

    @property
    def sealed(self) -> tuple[Generation, ...]:
        return self.generations[:-1]

    @classmethod
    def create(cls, connection: duckdb.DuckDBPyConnection, number: int, start: Position) -> Hot:
        """Begin an empty hot file behind this place of the journal."""
        with transaction(connection):
            connection.execute(META)
            _begin(connection, number, start)
        return cls(connection)

    def append(self, batch: Batch, place: Position) -> None:
        """Add the rows and move the place, or neither."""
        live, parts = self.live, self._parts(batch)
        with registered(self._connection, parts), transaction(self._connection):
            for name in parts:
                target = f"{live.schema}.{ddl.quoted(name)}"
                self._connection.execute(f"INSERT INTO {target} BY NAME FROM incoming_{name}")
            self._write_down(news := self._roll.news(batch.speakers))
            self._connection.execute(
                ADVANCE, [place.record_id, place.segment, place.offset, live.number]
            )
        self._roll.write(news)
        self._numbers.keep()
        moved = msgspec.structs.replace(live, reached=place)
        self.generations = (*self.generations[:-1], moved)

    def seal(self) -> None:
        """Begin a new generation: the one before it will not change any more."""
        with transaction(self._connection):
            _begin(self._connection, self.live.number + 1, self.live.reached)
        self.generations = generations(self._connection)
        self._roll = self._roll_of({})
        self._numbers = Numbers(0)

    def drop(self, gone: Generation) -> None:
        """Forget a generation whose rows are safe elsewhere."""
        with transaction(self._connection):
            self._connection.execute(f"DROP SCHEMA {gone.schema} CASCADE")
            self._connection.execute("DELETE FROM qmon.generations WHERE number = ?", [gone.number])
        self.generations = generations(self._connection)

    def counts(self) -> Mapping[str, int]:
        """Of resources: those there was no room for, and those that were too long."""
        return self._counts

    def _parts(self, batch: Batch) -> dict[str, pa.Table]:
        """Table of the generation → rows for it."""
        parts: dict[str, pa.Table] = {}
        for kind, table in batch.tables.items():
            if kind == series.POINTS.kind:
                parts |= self._numbers.tables(table)
            else:
                parts[TABLES[kind].name] = table
        return parts

    def _last_number(self) -> int:
        asked = f"SELECT coalesce(max(series), 0) FROM {self.live.schema}.series"  # noqa: S608 - our names
        return int(self._connection.execute(asked).fetchall()[0][0])

    def _roll_of(self, processes: Mapping[str, None]) -> Roll:
        return Roll(processes, self._counts)

    def _write_down(self, news: list[Speaker]) -> None:
        """In place of what was known of the same processes, if anything was."""
        if not news:
            return
        target = f"{self.live.schema}.{RESOURCES.name}"
        self._connection.register(INCOMING, self._roll.rows(news))
        try:
            self._connection.execute(
                f"DELETE FROM {target} WHERE process IN (SELECT process FROM {INCOMING})"  # noqa: S608 - our names
            )
            self._connection.execute(f"INSERT INTO {target} BY NAME FROM {INCOMING}")
        finally:
            self._connection.unregister(INCOMING)

    def _written(self) -> dict[str, None]:
        """Whom the live generation has; an older one, that lacks the table, has nobody."""
        try:
            found = self._connection.execute(
                f"SELECT process FROM {self.live.schema}.{RESOURCES.name}"  # noqa: S608 - our names
            ).fetchall()
        except duckdb.CatalogException:
            return {}
        return {process: None for (process,) in found}


def count_rows(connection: duckdb.DuckDBPyConnection, generation: Generation) -> dict[str, int]:
    """Table → rows, of one generation."""
    return {
        table.name: _count(connection, series.counted(table, generation.schema))
        for table in EVERY_TABLE
    }


def generations(connection: duckdb.DuckDBPyConnection) -> tuple[Generation, ...]:
    """The generations as a transaction of this connection sees them."""
    return tuple(
        Generation(number, opened, Position(*places[:3]), Position(*places[3:]))
        for number, opened, *places in connection.execute(GENERATIONS).fetchall()
    )


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing; RefusedError for wrong rows, StoreError when the machine is to blame."""
    try:
        connection.begin()
        yield
        connection.commit()
    except duckdb.Error as error:
        _roll_back(connection)
        if isinstance(error, WRONG_ROWS) and not isinstance(error, duckdb.FatalException):
            raise RefusedError(str(error)) from error
        failed = any(words in str(error) for words in OF_THE_DISK)
        kind = DiskFailedError if failed or isinstance(error, duckdb.IOException) else StoreError
        raise kind(f"the hot file: {error}") from error


@contextmanager
def registered(
    connection: duckdb.DuckDBPyConnection, parts: Mapping[str, pa.Table]
) -> Iterator[None]:
    """The rows as `incoming_TABLE`, for as long as it lasts."""
    for name, rows in parts.items():
        connection.register(f"incoming_{name}", rows)
    try:
        yield
    finally:
        for name in parts:
            connection.unregister(f"incoming_{name}")


def _begin(connection: duckdb.DuckDBPyConnection, number: int, start: Position) -> None:
    place = [start.record_id, start.segment, start.offset]
    connection.execute(f"CREATE SCHEMA g{number}")
    connection.execute(series.script(f"g{number}"))
    connection.execute(
        "INSERT INTO qmon.generations VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [number, time.time_ns(), *place, *place],
    )


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.rollback()
    except duckdb.Error:  # the transaction is gone already, which is what was wanted
        return


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])  # noqa: S608 - our names
