"""Plain DuckDB and plain ClickHouse (chdb) beside the store: the same rows, and the same questions.

Each is a process of its own on one core, `python -m bench.store_peers PEER FOLDER END TIMES`, reads
the segments of a store into one table of each kind, and is asked on raw rows: it has as much memory
as it likes, no journal, no rollups, and hands its answers over in the process.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import sys
import time
from contextlib import closing
from hashlib import md5
from pathlib import Path
from tempfile import TemporaryDirectory

from qmon_agent.store.telemetry.manifest import load

from .figures import progress

HOUR, DAY, MINUTE = 3_600, 86_400, 60
TABLES = ("spans", "errors", "points")
RECENT = {"points": 7 * HOUR}  # that is all that is asked for
LAST_S = 900


class DuckDB:
    """A file of its own, whose rows are in the order of the segments."""

    module = "duckdb"
    percentiles = """
        SELECT time_bucket(INTERVAL 1 MINUTE, time) AS start, service, name, count(*) AS requests,
          quantile_disc(duration_ns, [0.5, 0.95, 0.99]) AS took FROM spans
        WHERE kind = 'server' AND {within} GROUP BY ALL ORDER BY ALL"""
    series = """
        SELECT time_bucket(INTERVAL 1 MINUTE, time) AS start, service, host, attributes['queue'],
          count(*), sum(value), min(value), max(value), arg_max(value, time) FROM points
        WHERE metric = 'work.level' AND {within} GROUP BY ALL ORDER BY ALL"""

    def __init__(self, room):
        import duckdb

        self.connection = duckdb.connect(str(room / "peer.duckdb"), config={"threads": 1})

    def read(self, table, files, since):
        self.connection.sql(
            f"CREATE TABLE {table} AS FROM read_parquet({files}) "
            f"WHERE time >= to_timestamp({since})::TIMESTAMP"
        )
        return self.connection.sql(f"SELECT count(*) FROM {table}").fetchall()[0][0]

    def ask(self, sql):
        return self.connection.sql(sql).to_arrow_table().num_rows

    @staticmethod
    def within(since, until):
        return (
            f"time >= to_timestamp({since})::TIMESTAMP AND time < to_timestamp({until})::TIMESTAMP"
        )

    def close(self):
        self.connection.close()


class ClickHouse:
    """A MergeTree by time in a folder of its own; traces are found by a filter, as is usual."""

    module = "chdb"
    percentiles = """
        SELECT toStartOfMinute(time) AS start, service, name, count() AS requests,
          quantilesExact(0.5, 0.95, 0.99)(duration_ns) AS took FROM spans
        WHERE kind = 'server' AND {within} GROUP BY start, service, name
        ORDER BY start, service, name"""
    series = """
        SELECT toStartOfMinute(time) AS start, service, host, attributes['queue'] AS label,
          count(), sum(value), min(value), max(value), argMax(value, time) FROM points
        WHERE metric = 'work.level' AND {within} GROUP BY start, service, host, label
        ORDER BY start, service, host, label"""

    def __init__(self, room):
        from chdb.session import Session

        self.session = Session(str(room / "peer"))

    def read(self, table, files, since):
        within = f"WHERE time >= fromUnixTimestamp64Nano({since * 10**9})"
        made = f"CREATE TABLE {table} ENGINE = MergeTree ORDER BY time EMPTY AS"
        self._do(f"{made} SELECT * FROM file('{files[0]}', Parquet)")
        for file in files:
            self._do(f"INSERT INTO {table} SELECT * FROM file('{file}', Parquet) {within}")
        if table == "spans":
            index = "INDEX by_trace trace_id TYPE bloom_filter GRANULARITY 1"
            self._do(f"ALTER TABLE {table} ADD {index}")
            self._do(f"ALTER TABLE {table} MATERIALIZE INDEX by_trace SETTINGS mutations_sync = 2")
        self._do(f"OPTIMIZE TABLE {table} FINAL")
        return int(self._do(f"SELECT count() FROM {table}", "CSV").bytes())

    def ask(self, sql):
        return self._do(sql, "Arrow").rows_read()

    @staticmethod
    def within(since, until):
        moments = (f"fromUnixTimestamp64Nano({at * 10**9})" for at in (since, until))
        return "time >= {} AND time < {}".format(*moments)

    def _do(self, sql, form="Null"):
        settings = "max_threads = 1, schema_inference_make_columns_nullable = 0"
        joined = ", " if "SETTINGS" in sql else " SETTINGS "
        return self.session.query(f"{sql}{joined}{settings}", form)

    def close(self):
        self.session.close()


PEERS = {"duckdb": DuckDB, "chdb": ClickHouse}


def answers(folder, end, times):
    """Question → peer → milliseconds of each time; peers that are not installed are left out."""
    found = {}
    for name, kind in PEERS.items():
        if importlib.util.find_spec(kind.module) is None:
            progress(f"asking: {name} is left out, it is not installed (pip install {kind.module})")
            continue
        run = subprocess.run(
            [sys.executable, "-m", "bench.store_peers", name, folder, str(end), str(times)],
            stdout=subprocess.PIPE, check=True, timeout=LAST_S,
        )  # fmt: skip
        for question, took in json.loads(run.stdout).items():
            found.setdefault(question, {})[name] = took
    return found


def _measured(peer, folder, *, end, times):
    for table in TABLES:
        begun = time.monotonic()
        listed = load(Path(folder)).segments
        files = [f"{folder}/{each.file}" for each in listed if each.table == table]
        rows = peer.read(table, files, end - RECENT.get(table, 30 * DAY))
        took = time.monotonic() - begun
        progress(f"asking: {peer.module} read {rows:,} {table} in {took:.0f} s")
    for question, make in _questions(peer, end).items():
        peer.ask(make(times))  # as with ours, the first finds nothing in memory
        yield question, [_ms(peer, make(number)) for number in range(times)]


def _questions(peer, end):
    dice = random.Random(9)

    def within(sql, seconds):
        def made(number):
            until = end - number * MINUTE
            return sql.format(within=peer.within(until - seconds, until))

        return made

    def trace(_number):
        name = md5(f"trace{dice.randrange(100_000)}".encode(), usedforsecurity=False).hexdigest()
        return f"SELECT * FROM spans WHERE trace_id = '{name}' ORDER BY time"

    groups = """
        SELECT service, "grouping", min(type), count(*), count(DISTINCT user_id), min(time),
          max(time) FROM errors WHERE {within} GROUP BY service, "grouping" ORDER BY 4 DESC"""
    return {
        "percentiles by route and minute, 1 hour": within(peer.percentiles, HOUR),
        "percentiles by route and minute, 1 day": within(peer.percentiles, DAY),
        "series, 6 hours by minute": within(peer.series, 6 * HOUR),
        "a trace by its id": trace,
        "groups of errors, 1 day": within(groups, DAY),
    }


def _ms(peer, sql):
    begun = time.perf_counter()
    if not peer.ask(sql):
        raise AssertionError(f"{peer.module} found nothing: {sql}")
    return 1_000 * (time.perf_counter() - begun)


if __name__ == "__main__":
    who, where, until, runs = sys.argv[1:]
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with (
        TemporaryDirectory(prefix="qmon-bench-") as room,
        closing(PEERS[who](Path(room))) as asked,
    ):
        print(json.dumps(dict(_measured(asked, where, end=int(until), times=int(runs)))))
