"""A store of the size that questions are measured on: 10 M spans, 5 M events and 50 M points.

Rows are made by DuckDB and written by the store's own export, in stretches as it would have
exported them: an hour, or a million rows. Its own threads roll up and join them after that. What
was made stays in a folder of the temporary directory, and is made anew when it is a day old.
`python -m bench.store_filled [SIZE]` makes one, of so many times the full size.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import msgspec

from qmon_agent.journal import Position
from qmon_agent.store.telemetry import TelemetryOptions
from qmon_agent.store.telemetry.engine import open_engine
from qmon_agent.store.telemetry.engines.duckdb import export, limits, series
from qmon_agent.store.telemetry.engines.duckdb.hot import Generation
from qmon_agent.store.telemetry.manifest import Manifest, load, save
from qmon_agent.store.telemetry.options import Joining, Rolling

from .figures import progress

MADE = 2  # raise it when other rows are made
NS, HOUR, WEEK = 10**9, 3_600, 7 * 86_400
SPANS, EVENTS, ERRORS, POINTS = 10_000_000, 5_000_000, 300_000, 50_000_000
SERIES, QUEUES, ROUTES, OF_A_TRACE = 1_000, 20, 40, 5
EXPORT_S = 1_000  # a million points
OLD_S = 86_400
SETTLE_S = 1_200
SCALE = float(os.environ.get("QMON_BENCH_STORE", "1"))
MEMORY_MB = 1_500

WHO = "'shop' AS service, '2.1' AS release, 'production' AS environment"
HOST = "'h' || {number} AS host, md5('p' || {number}) AS process"
GAUSS = "sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())"

SPAN = f"""
INSERT INTO {{schema}}.spans BY NAME
SELECT
  make_timestamp_ns({{begin}} + (i - {{first}}) * {{gap}}) AS time,
  {WHO}, {HOST.format(number="i % 50")},
  md5('trace' || i // {OF_A_TRACE}) AS trace_id,
  left(md5('span' || i), 16) AS span_id,
  CASE WHEN i % {OF_A_TRACE} = 0 THEN ''
    ELSE left(md5('span' || i // {OF_A_TRACE} * {OF_A_TRACE}), 16) END AS parent_id,
  'GET /api/' || route AS name,
  'server' AS kind,
  CAST(exp(16 + {GAUSS}) AS BIGINT) AS duration_ns,
  CASE WHEN random() < 0.02 THEN 'error' ELSE 'ok' END AS status,
  MAP {{{{'http.route': '/api/' || route, 'http.status': '200'}}}} AS attributes
FROM (SELECT i, CAST(floor(random() * {ROUTES}) AS INTEGER) AS route
  FROM range({{first}}, {{last}}) AS numbers(i))
"""

EVENT = f"""
INSERT INTO {{schema}}.events BY NAME
SELECT
  make_timestamp_ns({{begin}} + (i - {{first}}) * {{gap}}) AS time,
  {WHO}, {HOST.format(number="i % 50")},
  md5('event' || i) AS event_id,
  'step ' || CAST(floor(12 * random() * random()) AS INTEGER) AS name,
  'u' || i // 8 % 60000 AS user_id,
  md5('session' || i // 8) AS session_id,
  MAP {{{{'plan': CASE WHEN i // 8 % 5 = 0 THEN 'paid' ELSE 'free' END}}}} AS attributes
FROM range({{first}}, {{last}}) AS numbers(i)
"""

ERROR = f"""
INSERT INTO {{schema}}.errors BY NAME
SELECT
  make_timestamp_ns({{begin}} + (i - {{first}}) * {{gap}}) AS time,
  {WHO}, {HOST.format(number="i % 50")},
  md5('error' || i) AS error_id,
  left(md5('issue' || issue), 16) AS "grouping",
  'Error' || issue % 30 AS type,
  'could not do ' || i AS message,
  'shop.part' || issue % 40 || ' in work' AS culprit,
  md5('trace' || i) AS trace_id,
  'u' || CAST(floor(random() * 60000) AS INTEGER) AS user_id,
  '[' || repeat('{{{{"file": "shop/part' || issue % 40 || '.py", "line": ' || i % 900 ||
    ', "name": "work", "source": "answer = ask(question)"}}}}', 9) || ']' AS stack
FROM (SELECT i, CAST(floor(300 * random() * random()) AS INTEGER) AS issue
  FROM range({{first}}, {{last}}) AS numbers(i))
"""

NAMED = f"""
INSERT INTO {{schema}}.series BY NAME
SELECT
  n + 1 AS series,
  {WHO}, {HOST.format(number=f"(n // {QUEUES})")},
  'work.level' AS metric,
  'gauge' AS kind,
  MAP {{{{'queue': 'q' || n % {QUEUES}}}}} AS attributes
FROM range({{series}}) AS numbers(n)
"""

SAMPLE = f"""
INSERT INTO {{schema}}.samples BY NAME
SELECT
  n + 1 AS series,
  make_timestamp_ns(moment * {NS}) AS time,
  value, value AS minimum, value AS maximum
FROM (SELECT moment, n,
    round(20 + 5 * sin(moment / 3600 + n) + (hash(moment // 4, n) % 3) / 10, 1) AS value
  FROM range({{begin}} // {NS}, {{end}} // {NS}) AS seconds(moment), range({{series}}) AS series(n))
"""
WANTED = {"spans": (SPAN, SPANS), "events": (EVENT, EVENTS), "errors": (ERROR, ERRORS)}


def filled(scale=SCALE):
    """A folder with a store of so many times the full size, and the end of what is in it, in s."""
    folder = Path(tempfile.gettempdir()) / f"qmon-bench-store-{scale:g}"
    made = folder / "made.json"
    said = json.loads(made.read_text()) if made.exists() else {}
    if said.get("made") == MADE and time.time() - said["end"] < OLD_S:
        return folder / "telemetry", said["end"]
    fresh = folder.with_name(f"{folder.name}-{os.getpid()}")  # others may be making one as well
    end, begun = int(time.time()) // HOUR * HOUR, time.monotonic()
    try:
        _fill(fresh / "telemetry", end=end, scale=scale)
        _settle(fresh / "telemetry", fresh / "journal")
        (fresh / made.name).write_text(json.dumps({"made": MADE, "end": end}))
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    progress(f"a store of {scale:g} times the size was made in {time.monotonic() - begun:.0f} s")
    return folder / "telemetry", end


@contextmanager
def lent(state, scale=SCALE):
    """The same store for an agent that keeps its state there: its own list, and the same files."""
    folder, end = filled(scale)
    shutil.copytree(folder, state / "telemetry", copy_function=_lend)
    yield end


def _lend(source, target):
    """Segments are never changed where they are."""
    if source.endswith(".parquet"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def _fill(folder, *, end, scale):
    (folder / export.FOLDER).mkdir(parents=True)
    manifest = Manifest()
    with limits.connect_in_memory(folder, memory_limit_mb=MEMORY_MB) as connection:
        connection.execute("SELECT setseed(0.5)")
        for number, (begin, until) in enumerate(_stretches(end), 1):
            generation = Generation(number, until * NS, Position(), Position())
            _make(connection, generation.schema, (begin, until), end=end, scale=scale)
            segments = (
                msgspec.structs.replace(each, written=until * NS)
                for each in export.export(connection, generation, directory=folder)
            )
            connection.execute(f"DROP SCHEMA {generation.schema} CASCADE")
            manifest = manifest.having(tuple(segments), exported=Position(), generation=number)
            if number % 20 == 0:
                progress(f"making a store: {(end - until) / HOUR:.0f} hours are left")
    save(folder, manifest)


def _stretches(end):
    """From and until, in s: an hour each, and less where points come as well."""
    at, points = end - WEEK, end - POINTS // SERIES
    while at < end:
        until = min(at + HOUR, points) if at < points else min(at + EXPORT_S, end)
        yield at, until
        at = until


def _make(connection, schema, stretch, *, end, scale):
    begin, until = stretch
    connection.execute(f"CREATE SCHEMA {schema}")
    connection.execute(series.script(schema))
    for statement, whole in WANTED.values():
        first, last = (
            int(whole * scale * (at - end + WEEK) / WEEK) // OF_A_TRACE * OF_A_TRACE
            for at in (begin, until)
        )
        gap = (until - begin) * NS // max(1, last - first)
        of = {"first": first, "last": last, "gap": gap, "begin": begin * NS}
        connection.execute(statement.format(schema=schema, **of))
    if begin >= end - POINTS // SERIES:
        of = {"begin": begin * NS, "end": until * NS, "series": int(SERIES * scale)}
        for statement in (NAMED, SAMPLE):
            connection.execute(statement.format(schema=schema, **of))


def _settle(folder, journal):
    """Rolled up and joined by the store itself, until there is nothing left to do."""
    engine = open_engine(
        TelemetryOptions(
            directory=str(folder),
            journal=str(journal),
            joining=Joining(share=1.0, interval_s=0.0),
            rolling=Rolling(share=1.0),
        )
    )
    try:
        until, rested = time.monotonic() + SETTLE_S, 0
        while rested < 50 and time.monotonic() < until:
            engine.tend(now=time.time_ns())
            time.sleep(0.01)
            still = engine._joiner.busy() or engine._roller.busy()
            rested = 0 if still else rested + 1
    finally:
        engine.close()
    left = sum(each.unrolled for each in load(folder).segments)
    if left:
        raise TimeoutError(f"{left} segments are not rolled up after {SETTLE_S} s")


if __name__ == "__main__":
    print(*filled(float(sys.argv[1]) if sys.argv[1:] else SCALE))
