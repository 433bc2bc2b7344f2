"""A store with secrets beside it, and a look at what a statement that passed the guard has done."""

from __future__ import annotations

import os
import threading
from hashlib import sha256
from pathlib import Path

import duckdb

from qmon_agent.domain.errors import QueryError
from qmon_agent.store.telemetry.engines.duckdb import limits
from qmon_agent.store.telemetry.engines.duckdb.guard import checked

CANARY = "canary-7f3a"
TABLES = ("spans", "errors")
LONGEST_S = 2.0


class Den:
    """A hot file, a segment nobody was given, a file and a variable of the environment."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.segments = directory / "segments"
        self.segments.mkdir()
        self.hidden = self.segments / "hidden.parquet"
        duckdb.sql(f"SELECT '{CANARY}' AS word").write_parquet(str(self.hidden))
        (directory / "secret.txt").write_text(CANARY)
        os.environ["QMON_CANARY"] = CANARY
        self.connection = limits.connect(
            directory / "hot.duckdb", readable=self.segments, memory_limit_mb=64, threads=1
        )
        self.connection.execute(
            "CREATE SCHEMA g1; CREATE TABLE g1.spans (a INT, name TEXT);"
            "INSERT INTO g1.spans VALUES (1, 'x'); CREATE TABLE g1.errors AS FROM g1.spans;"
            f"CREATE TABLE g1.hidden AS SELECT '{CANARY}' AS word"
        )
        self.before = self.state()

    def state(self):
        """All that must not change: the files beside the hot one, and the rows in it."""
        files = {
            str(path): sha256(path.read_bytes()).hexdigest()
            for path in self.directory.rglob("*")
            if path.is_file() and "hot.duckdb" not in path.name and "spill" not in path.parts
        }
        rows = self.connection.execute("SELECT count(*) FROM g1.spans").fetchall()
        names = self.connection.execute(
            "SELECT database_name, table_name FROM duckdb_tables() ORDER BY ALL"
        ).fetchall()
        return files, rows, names

    def put(self, sql: str) -> bool:
        """Whether it passed the guard; AssertionError where it did, or told, what it must not."""
        try:
            checked(self.connection, sql, tables=TABLES)
        except QueryError:
            return False
        told = self._run(sql)
        assert CANARY not in told, sql
        assert self.before == self.state(), sql
        return True

    def _run(self, sql: str) -> str:
        with self.connection.cursor() as own:
            for name in TABLES:
                own.execute(f"CREATE TEMP VIEW {name} AS FROM g1.{name}")
            own.execute("BEGIN TRANSACTION READ ONLY")
            timer = threading.Timer(LONGEST_S, own.interrupt)
            timer.start()
            try:
                return str(own.execute(sql).fetchmany(100))
            except (duckdb.Error, ValueError, TypeError) as error:
                return str(error).replace(sql, "")
            finally:
                timer.cancel()

    def close(self) -> None:
        self.connection.close()
