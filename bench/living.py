"""What an agent costs that does nothing but watch its host, and how soon a query finds an event."""

from __future__ import annotations

import itertools
import random
import statistics
import subprocess
import sys
import time

import psutil

import qmon_sdk as qmon

from .daemons import spent
from .figures import Figure, progress
from .places import Agent, place

ROUNDS = 3
SETTLE_S = 6  # what is opened behind the ready line is over
IDLE_S = 20
EVENTS = 60
EVERY_S = 0.005  # how often a query looks
PATIENCE_S = 10
SPANS_PER_S = 20_000


def idle(*, quick=False):
    """An agent that was just installed: every sampler each second, nothing sent to it."""
    seconds, main_mb, whole_mb, shares, worker = 10 if quick else IDLE_S, [], [], [], []
    for _ in range(1 if quick else ROUNDS):
        with place() as state:
            agent = Agent(state)
            try:
                main = psutil.Process(agent.pid)
                agent.wait_for_store()
                time.sleep(SETTLE_S)
                children = main.children(recursive=True)
                before, of_children, begun = spent([main]), spent(children), time.perf_counter()
                time.sleep(seconds)
                took = time.perf_counter() - begun
                shares.append(100 * (spent([main]) - before) / took)
                worker.append(100 * (spent(children) - of_children) / took)
                main_mb.append(main.memory_info().rss / 1e6)
                whole_mb.append(sum(each.memory_info().rss for each in [main, *children]) / 1e6)
            finally:
                agent.stop()
        progress(
            f"idle: main {main_mb[-1]:.1f} MB and {shares[-1]:.2f} % of a core; "
            f"with the store worker {whole_mb[-1]:.1f} MB and {shares[-1] + worker[-1]:.2f} %"
        )
    return [
        Figure(what="idle, host sampled every second: resident, main process", ours=main_mb,
               unit="MB", digits=1, wanted=("<=", 60)),
        Figure(what="the same, with the store worker", ours=whole_mb, unit="MB", digits=1),
        Figure(what="idle: share of a core, main process", ours=shares, unit="%", digits=2,
               wanted=("<=", 0.5)),
        Figure(what="idle: share of a core, store worker", ours=worker, unit="%", digits=2),
    ]  # fmt: skip


def fresh(*, quick=False):
    """From `track()` in a program until a query has the event, at moments as they come."""
    count = 20 if quick else EVENTS
    calm = _lateness(count, spans_per_s=0)
    busy = _lateness(count, spans_per_s=SPANS_PER_S)
    rows = []
    for how, taken in (("nothing else to do", calm), (f"{SPANS_PER_S:,} spans a second", busy)):
        ordered = sorted(taken)
        half, nearly = statistics.median(ordered), ordered[int(0.99 * (len(ordered) - 1))]
        progress(f"fresh, {how}: p50 {half:.0f} ms, p99 {nearly:.0f} ms of {count}")
        what = f"event until a query has it, {how}"
        rows += [
            Figure(what=f"{what}: p50", ours=[half], unit="ms"),
            Figure(what=f"{what}: p99", ours=[nearly], unit="ms", wanted=("<=", 1_000)),
        ]
    return rows


def _lateness(count, *, spans_per_s):
    """Milliseconds for each of so many events."""
    with place() as state:
        agent = Agent(state)
        feeding = None
        qmon.init(service="fresh", dsn=f"unix://{agent.socket}")
        try:
            if spans_per_s:
                feeding = subprocess.Popen(
                    [sys.executable, "-m", "bench.agent", agent.socket, "600", str(spans_per_s)]
                )
            agent.wait_for_store()
            time.sleep(SETTLE_S)
            return [_late(agent, f"fresh{number}") for number in range(count)]
        finally:
            if feeding:
                feeding.kill()
                feeding.wait()
            qmon.shutdown()
            agent.stop()


def _late(agent, name):
    time.sleep(random.uniform(0.0, 0.3))  # at no particular moment
    sql = f"SELECT count(*) AS n FROM events WHERE name = '{name}'"
    begun = time.perf_counter()
    qmon.track(name)
    for _ in itertools.count():
        if agent.control.query({"sql": sql})["rows"][0]["n"]:
            return 1000 * (time.perf_counter() - begun)
        if time.perf_counter() - begun > PATIENCE_S:
            raise TimeoutError(f"{name} is nowhere after {PATIENCE_S} s")
        time.sleep(EVERY_S)
    return None


CASES = {"idle": idle, "fresh": fresh}
