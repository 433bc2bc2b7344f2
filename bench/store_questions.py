"""How long questions take on a store of the full size, and beside 20,000 spans a second.

A real agent on one core is asked over its own socket, as `qmon-agent ask` does it, until the last
byte of the answer has come. No two questions are the same, so that none is answered from memory.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import md5
from urllib.parse import urlencode

from qmon_agent.cli._control import _UnixConnection

from .daemons import spent
from .figures import Figure, progress
from .places import PATIENCE_S, Agent, place
from .store_filled import HOUR, OF_A_TRACE, SCALE, SPANS, WEEK, filled, lent
from .store_peers import answers

TIMES, QUICK = 7, 2
READS, QUICK_READS = 60, 10
SETTLE_S = 8  # what is opened behind the ready line is over
SPANS_PER_S = 20_000
MINUTE, DAY = 60, 86_400
MANY = 1_000_000  # rows of an answer, at most
NOTE = (
    "Peers have the same rows in a table, one core and any memory, and hand over their answer in "
    "the process: no rollups, no HTTP, no JSON."
)


def asking(*, quick=False):
    """Questions: each asked some times, of a stretch of time that it was not asked of before."""
    scale = SCALE / 20 if quick else SCALE
    times = QUICK if quick else TIMES
    beside = answers(*filled(scale), times)
    with _agent(scale) as (agent, end):
        for what, wanted, name, make in _asked(end, scale):
            _answer(agent, name, make(TIMES))  # the first one finds nothing in memory
            took, rows, before = [], 0, spent(agent.processes())
            for number in range(times):
                ms, answer = _answer(agent, name, make(number))
                took.append(ms)
                rows = _rows(answer)
            worked = 1_000 * (spent(agent.processes()) - before) / times
            said = f"{statistics.median(took):.0f} ms of {min(took):.0f} to {max(took):.0f}"
            of = f"{rows:,} rows of {answer['tier']}"
            progress(f"{what}: {said}, {of}; processor {worked:.0f} ms")
            theirs = next((each for asked, each in beside.items() if what.endswith(asked)), {})
            yield Figure(what=f"{what} ({rows:,} rows)", ours=took, unit="ms", wanted=wanted,
                         beside=theirs, note=NOTE)  # fmt: skip


def reading(*, quick=False):
    """Readers: the 95th percentile of three questions in turn, with nothing else and under load."""
    scale, reads = (SCALE / 20, QUICK_READS) if quick else (SCALE, READS)
    with _agent(scale) as (agent, end):
        calm = _nearly(_reads(agent, end, range(reads), scale=scale))
        with _fed(agent):
            busy = _nearly(_reads(agent, end, range(reads, 2 * reads), scale=scale))
    progress(f"a reader: 95 of 100 within {calm:.0f} ms, under load within {busy:.0f} ms")
    what = "a reader of three questions in turn, 95th percentile"
    yield Figure(what=f"{what}, nothing else to do", ours=[calm], unit="ms")
    yield Figure(what=f"{what}, {SPANS_PER_S:,} spans/s coming in", ours=[busy], unit="ms")
    yield Figure(what="the second to the first", ours=[busy / calm], digits=2, wanted=("<=", 2))


def _asked(end, scale):
    """What it is, what is wanted, the question, and its parameters the n-th time."""

    def within(seconds, step=MINUTE, **more):
        def made(number):
            until = end - number * max(step, MINUTE)
            since = until - seconds
            return {"since": _moment(since), "until": _moment(until), "step": f"{step}s", **more}

        return made

    dice = random.Random(7)
    traces = [dice.randrange(int(SPANS * scale) // OF_A_TRACE) for _ in range(64)]
    plain = {"metric": "work.level", "label": "queue", "limit": MANY}
    series = {**plain, "layout": "series"}
    many = f"{1_000 * scale:,.0f} series"
    return [
        ("percentiles by route and minute, 1 hour", ("<=", 50), "latency_by_route",
         within(HOUR, limit=MANY)),
        ("percentiles by route and minute, 1 day", ("<=", 300), "latency_by_route",
         within(DAY, limit=MANY)),
        ("percentiles by route and hour, 7 days, in buckets", None, "latency_by_route",
         within(WEEK - HOUR, HOUR)),
        (f"{many}, 6 hours by minute", ("<=", 1_000), "metric_series",
         within(6 * HOUR, **series)),
        (f"{many}, 6 hours by minute, each minute an object", None, "metric_series",
         within(6 * HOUR, **plain)),
        (f"{many}, 6 hours by 5 minutes", None, "metric_series",
         within(6 * HOUR, 300, **series)),
        (f"{many}, 1 hour by 90 s, of raw points", None, "metric_series",
         within(HOUR, 90, **series)),
        ("a trace by its id", ("<=", 50), "trace",
         lambda number: {"trace_id": _trace(traces[number])}),
        ("a trace by its id and about when it was", ("<=", 50), "trace",
         lambda number: _near(traces[number + 20], end, scale)),
        ("groups of errors, 1 day", ("<=", 50), "error_groups", within(DAY, HOUR)),
        ("groups of errors, 6 days", None, "error_groups", within(6 * DAY, HOUR)),
    ]  # fmt: skip


def _reads(agent, end, numbers, *, scale):
    """Milliseconds of each; other numbers are other stretches of time."""
    dice, took = random.Random(8), []
    for number in numbers:
        until = end - (number + 1) * MINUTE
        about = {"since": _moment(until - HOUR), "until": _moment(until)}
        trace = dice.randrange(int(SPANS * scale) // OF_A_TRACE)
        took += [
            _answer(agent, "latency_by_route", {**about, "limit": MANY})[0],
            _answer(agent, "error_groups", {**about, "since": _moment(until - DAY)})[0],
            _answer(agent, "trace", {"trace_id": _trace(trace)})[0],
        ]
    return took


def _rows(answer):
    if "rows" in answer:
        return len(answer["rows"])
    return sum(len(each["start"]) for each in answer["series"])


def _nearly(took):
    return sorted(took)[int(0.95 * (len(took) - 1))]


def _answer(agent, name, said):
    """Milliseconds until the last byte of the answer was there, and the answer."""
    connection = _UnixConnection(agent.control._path, PATIENCE_S)
    begun = time.perf_counter()
    try:
        connection.request("GET", f"/api/questions/{name}?{urlencode(said)}&timeout_s=100")
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    took = 1_000 * (time.perf_counter() - begun)
    if response.status != 200:
        raise AssertionError(f"{name}: {body[:300]!r}")
    return took, json.loads(body)


@contextmanager
def _agent(scale):
    with place() as state, lent(state, scale) as end:
        agent = Agent(state, cpu=max(os.sched_getaffinity(0)))
        try:
            agent.wait_for_store()
            time.sleep(SETTLE_S)
            yield agent, end
        finally:
            agent.stop()


@contextmanager
def _fed(agent):
    feeding = subprocess.Popen(
        [sys.executable, "-m", "bench.agent", agent.socket, "600", str(SPANS_PER_S)]
    )
    try:
        time.sleep(SETTLE_S)
        yield
    finally:
        feeding.kill()
        feeding.wait()


def _near(number, end, scale):
    share = number * OF_A_TRACE / (SPANS * scale)
    return {"trace_id": _trace(number), "near": _moment(int(end - WEEK + share * WEEK))}


def _trace(number):
    return md5(f"trace{number}".encode(), usedforsecurity=False).hexdigest()


def _moment(seconds):
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


CASES = {"asking": asking, "reading": reading}
