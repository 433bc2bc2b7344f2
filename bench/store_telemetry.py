"""The store behind the journal: rows taken for a second of processor, and bytes they are on disk.

The same rows go into plain SQLite and plain DuckDB, and the same series into Prometheus's and
VictoriaMetrics's own formats. Journals are written beforehand; what counts is processor time of
this process with all of its threads, from the journal's bytes until the rows can be asked for.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import sqlite3
import subprocess
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from qmon_agent.domain.clock import SystemClock
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.store.telemetry import TelemetryOptions
from qmon_agent.store.telemetry.engine import open_engine
from qmon_agent.store.telemetry.following import Follower
from qmon_agent.store.telemetry.manifest import load
from qmon_agent.store.telemetry.options import Joining
from qmon_sdk.protocol.columns import block_of, rows_of
from qmon_sdk.protocol.frames import Frame, Resource, decode_frame, encode_frame
from qmon_sdk.protocol.signals import FIELDS, Point, Span

from .daemons.victoria import Victoria
from .figures import Figure, progress

BEGAN = int(time.time()) - 7_200  # VictoriaMetrics keeps a month
ROWS = {"spans": 200_000, "points": 1_500_000}
QUICK = {"spans": 40_000, "points": 200_000}
OF_PEERS = 200_000  # rows that the databases beside us are given, at most
SERIES, AT_ONCE = 1_000, 1_000
JOIN_S = 30.0
SCALE = float(os.environ.get("QMON_BENCH_STORE", "1"))
WANTED = {"spans": (100_000, 45), "points": (1_500_000, 2)}


def storing(*, quick=False):
    """Rows: rate and bytes of spans and of points, beside what else keeps them."""
    for kind, wanted in WANTED.items():
        rows = int((QUICK if quick else ROWS)[kind] * SCALE)
        with TemporaryDirectory(prefix="qmon-bench-") as room:
            frames = [*FRAMES[kind](rows)]
            rate, moved, size = _ours(Path(room), frames, kind)
            progress(
                f"store: {kind} {rate:,.0f} a second and core, {moved:,.0f} with all segments, "
                f"{size:.1f} bytes each"
            )
            few = frames[: max(1, OF_PEERS // AT_ONCE)]
            rates, sizes = {}, {}
            for name, measure in DATABASES.items():
                if importlib.util.find_spec(name) is None:
                    progress(f"store: {name} is left out, it is not installed (pip install {name})")
                    continue
                made = measure(Path(room), few, kind)
                rates[name], sizes[name] = [made[0]], [made[1]]
                progress(f"store: {name} {made[0]:,.0f} a second and core, {made[1]:.1f} bytes")
            if kind == "points":
                sizes |= _of_formats(Path(room), frames)
        what = f"{rows:,} {kind}"
        note = f"The databases are given {min(rows, OF_PEERS):,} rows at most."
        yield Figure(what=f"{what}: stored for a second of processor", ours=[rate], unit="/s",
                     beside=rates, wanted=(">=", wanted[0]), note=note)  # fmt: skip
        yield Figure(what=f"{what}: the same, until all are in segments", ours=[moved], unit="/s")
        yield Figure(what=f"{what}: bytes on disk for each", ours=[size], unit="B", digits=2,
                     beside=sizes, wanted=("<=", wanted[1]))  # fmt: skip


def _spans(rows):
    dice = random.Random(5)
    for number in range(rows // AT_ONCE):
        signals = []
        for n in range(AT_ONCE):
            route = f"/api/{dice.randrange(40)}"
            signals.append(
                Span(
                    time=(BEGAN * 1_000 + number * AT_ONCE + n) * 1_000_000,
                    duration_ns=int(dice.lognormvariate(16, 1)),
                    name=f"GET {route}",
                    trace_id=f"{dice.getrandbits(128):032x}",
                    span_id=f"{dice.getrandbits(64):016x}",
                    attributes={"http.route": route, "http.status": "200"},
                )
            )
        yield _frame("span", signals, number)


def _points(rows):
    dice, values = random.Random(6), [20.0] * SERIES
    for number in range(rows // SERIES):
        signals = []
        for n in range(SERIES):
            values[n] = round(values[n] + dice.choice((-0.1, 0, 0, 0, 0.1)), 1)
            signals.append(
                Point(
                    time=(BEGAN + number) * 10**9,
                    metric=f"metric.{n % 20}",
                    kind="gauge",
                    value=values[n],
                    attributes={"host": f"h{n // 20}"},
                )
            )
        yield _frame("point", signals, number)


FRAMES = {"spans": _spans, "points": _points}


def _frame(kind, signals, number):
    return encode_frame(
        Frame(
            process=b"p" * 16,
            sequence=number + 1,
            resource=Resource(service="bench"),
            blocks=(block_of(kind, signals),),
        )
    )


def _ours(room, frames, kind):
    place = room / "journal"
    journal = Journal.open(place, options=JournalOptions(), clock=SystemClock())
    for number, frame in enumerate(frames, 1):
        journal.append(frame, process=b"p" * 16, sequence=number)
        if number % 100 == 0:
            journal.commit()
    end = journal.commit()
    options = TelemetryOptions(
        directory=str(room / "telemetry"),
        journal=str(place),
        joining=Joining(share=1.0, interval_s=0.1),
    )
    engine = open_engine(options)
    follower = Follower(place, engine, bury=lambda *_: None)
    begun = time.process_time()
    while follower.follow(end, max_bytes=options.batching.max_bytes):
        engine.tend(now=time.time_ns())
    spent = time.process_time() - begun
    _export(engine)
    moved = time.process_time() - begun
    _settle(engine)
    follower.close()
    engine.close()
    journal.close()
    segments = [each for each in load(room / "telemetry").segments if each.table == kind]
    stored = sum(each.rows for each in segments)
    if stored != len(frames) * AT_ONCE:
        raise AssertionError(f"{len(frames) * AT_ONCE:,} {kind} sent, {stored:,} stored")
    return stored / spent, stored / moved, sum(each.bytes for each in segments) / stored


def _export(engine):
    """Everything in segments."""
    while engine.exported != engine.stored or engine.busy():
        engine.tend(now=time.time_ns(), everything=True)
        time.sleep(0.05)


def _settle(engine):
    """Segments joined, as far as that goes in a while."""
    until, before = time.monotonic() + JOIN_S, 0
    since = time.monotonic()
    while time.monotonic() < until and time.monotonic() - since < JOIN_S / 6:
        engine.tend(now=time.time_ns())
        changes = engine.counts().get("list_changes", 0)
        if changes != before:
            before, since = changes, time.monotonic()
        time.sleep(0.2)


def _sqlite(room, frames, kind):
    place = room / f"{kind}.db"
    with closing(sqlite3.connect(place)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        begun, stored = time.process_time(), 0
        for frame in frames:
            rows = [_row(row) for row in _decoded(frame)]
            if not stored:
                marks = ",".join(f"c{n}" for n in range(len(rows[0])))
                database.execute(f"CREATE TABLE t ({marks})")
            marks = ",".join("?" * len(rows[0]))
            database.executemany(f"INSERT INTO t VALUES ({marks})", rows)
            database.commit()
            stored += len(rows)
        spent = time.process_time() - begun
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return stored / spent, place.stat().st_size / stored


def _duckdb(room, frames, kind):
    """By its own reader of JSON, which is the fastest way in that it has for rows of text."""
    import duckdb

    lines, rows = _lines(room, frames, kind)
    place = room / f"{kind}.duckdb"
    with closing(duckdb.connect(str(place), config={"threads": 1})) as database:
        begun = time.process_time()
        database.execute(f"CREATE TABLE t AS FROM read_json('{lines}')")
        spent = time.process_time() - begun
        database.execute("CHECKPOINT")
    return rows / spent, place.stat().st_size / rows


def _chdb(room, frames, kind):
    """ClickHouse in this process, by its own reader of JSON, into a MergeTree by time."""
    from chdb.session import Session

    lines, rows = _lines(room, frames, kind)
    source = f"file('{lines}', JSONEachRow)"
    reading = "schema_inference_make_columns_nullable = 0, input_format_null_as_default = 1"
    with closing(Session(str(room / f"{kind}.chdb"))) as database:
        begun = time.process_time()
        database.query(
            f"CREATE TABLE t ENGINE = MergeTree ORDER BY time AS SELECT * FROM {source} "
            f"SETTINGS max_threads = 1, {reading}"
        )
        spent = time.process_time() - begun
        database.query("OPTIMIZE TABLE t FINAL")
        size = "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 't'"
        return rows / spent, int(database.query(size, "CSV").bytes()) / rows


def _lines(room, frames, kind):
    """A file of JSON, a line for each row, and how many there are."""
    names = [field.name for field in FIELDS[kind.removesuffix("s")]]
    lines, rows = room / f"{kind}.ndjson", 0
    with lines.open("w") as file:
        for frame in frames:
            for row in _decoded(frame):
                file.write(json.dumps(dict(zip(names, _row(row), strict=True))) + "\n")
                rows += 1
    return lines, rows


DATABASES = {"sqlite3": _sqlite, "duckdb": _duckdb, "chdb": _chdb}


def _decoded(frame):
    return [row for block in decode_frame(frame).blocks for row in rows_of(block)]


def _row(row):
    return [json.dumps(each) if isinstance(each, dict | tuple | list) else each for each in row]


def _of_formats(room, frames):
    """Bytes for each sample of those who keep nothing but series, where they are installed."""
    found = {}
    by_series = {}
    for frame in frames:
        for point in _decoded(frame):
            name = point.metric.replace(".", "_")
            key = f'{name}{{host="{point.attributes["host"]}"}}'
            by_series.setdefault(key, []).append((point.value, point.time))
    samples = sum(map(len, by_series.values()))
    if shutil.which("promtool"):
        found["prometheus"] = [_prometheus(room, by_series) / samples]
    if Victoria.is_here():
        found["victoria-metrics"] = [_victoria(by_series) / samples]
    return found


def _prometheus(room, by_series):
    told, blocks = room / "told.txt", room / "blocks"
    with told.open("w") as file:
        for name in sorted({key.split("{")[0] for key in by_series}):
            file.write(f"# TYPE {name} gauge\n")
            for key, values in by_series.items():
                if key.split("{")[0] == name:
                    file.writelines(f"{key} {value} {at // 10**9}\n" for value, at in values)
        file.write("# EOF\n")
    run = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "-q", told, blocks]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL, timeout=120)
    return _size_of(blocks)


def _victoria(by_series):
    with Victoria("remote_write") as daemon:
        address = daemon.address("remote_write")["url"].removesuffix("/api/v1/write")
        for key, values in by_series.items():
            text = "".join(f"{key} {value} {at // 10**6}\n" for value, at in values)
            _post(f"{address}/api/v1/import/prometheus", text.encode())
        _post(f"{address}/internal/force_flush", b"")
        _post(f"{address}/internal/force_merge", b"")
        time.sleep(5)
        return _size_of(daemon.folder / "data" / "data")


def _post(url, body):
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as answer:
        answer.read()


def _size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


CASES = {"storing": storing}
