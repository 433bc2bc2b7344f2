"""The store of a running agent: how far it is behind the journal, and its memory over time.

Frames of 1,000 spans come through the agent's own socket, at a rate; it is looked four times a
second how many records of the journal are not stored yet, which is so many seconds at that rate.
`QMON_BENCH_STORE_SECONDS=3600` looks at the memory for an hour.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial

from .agent import ROWS
from .daemons import HOW, reached, spent
from .daemons.prometheus import Prometheus
from .daemons.qmon import Qmon
from .daemons.victoria import Victoria
from .figures import Figure, progress
from .series import _slope as slope
from .ways import WAYS, _once, loading

RATE, SECONDS, QUICK = 100_000, 30.0, 5.0
STEADY_RATE = 20_000
STEADY_S = float(os.environ.get("QMON_BENCH_STORE_SECONDS", "60"))
SETTLED = 1 / 3
"""Before this part of the time memory may grow: libraries load, the first segments are written."""
LOOK_S, LAG_S = 0.25, 2.0
QUESTIONS = (
    """SELECT name, count(*) AS n, quantile_cont(duration_ns, 0.95) AS p95 FROM spans
    WHERE time > now() - INTERVAL 30 SECOND GROUP BY name""",
    "SELECT * FROM spans ORDER BY duration_ns DESC LIMIT 20",
)
SPANS = "SELECT count(*) AS n FROM spans WHERE service = 'bench'"
SERIES, ROUNDS = 20_000, 12
PEERS = (Prometheus, Victoria)


def lag(*, quick=False):
    """Rows: the rate, how far behind it was, and what the worker used for it."""
    looks, told = _flow(RATE, QUICK if quick else SECONDS)
    rate, what = told["spans"] / told["seconds"], f"{RATE:,} spans a second offered"
    behind = [look["records"] * ROWS / rate for look in looks]
    yield Figure(what=f"{what}, {told['seconds']:.0f} s: acknowledged", ours=[rate], unit="/s",
                 wanted=(">=", 0.99 * RATE))  # fmt: skip
    yield Figure(what=f"{what}: store behind the journal, at most", ours=[max(behind)], unit="s",
                 digits=2, wanted=("<=", LAG_S))  # fmt: skip
    yield Figure(what=f"{what}: the last row stored after the last acknowledgement",
                 ours=[told["after_s"]], unit="s", digits=2)  # fmt: skip
    yield Figure(what=f"{what}: stored for a second of the worker's processor", unit="/s",
                 ours=[told["spans"] / told["worker_s"]], wanted=(">=", RATE))  # fmt: skip


def steady(*, quick=False):
    """Rows: the worker's memory, first, last and most, while it stores and is asked."""
    looks, told = _flow(STEADY_RATE, QUICK if quick else STEADY_S, questions=QUESTIONS)
    settled = [look for look in looks if look["at"] > SETTLED * looks[-1]["at"]]
    what = f"{STEADY_RATE:,} spans a second and questions, {told['seconds']:.0f} s: store worker"
    found = {"first": settled[0], "last": settled[-1], "most": max(settled, key=_memory)}
    for name, look in found.items():
        yield Figure(what=f"{what}, resident, {name}", ours=[_memory(look)], unit="MB")
    grown = 60 * slope(settled, "worker_mb")
    yield Figure(what=f"{what}, growth after a third of the time", ours=[grown], unit="MB/min",
                 digits=2)  # fmt: skip
    yield Figure(what=f"{what}, behind the journal, at most", unit="s", digits=2,
                 ours=[max(look["records"] for look in looks) * ROWS / STEADY_RATE],
                 wanted=("<=", LAG_S))  # fmt: skip


def samples(*, quick=False):
    """Rows: points of the same series, until they can be asked for, by all that is spent."""
    options = {"series": SERIES // (4 if quick else 1), "rounds": ROUNDS}
    way, beside = WAYS["remote_write"], {}
    for kind in PEERS:
        if kind.is_here():
            beside[kind.name] = [_once(kind, way, options)[1]]
        else:
            progress(f"samples: {kind.name} is left out, it is not installed ({HOW[kind.name]})")
    ours = {"remote write": _once(Qmon, way, options)[1], "native frames": _native(options)}
    for name, rate in ours.items():
        yield Figure(
            what=f"points of {options['series']:,} series by {name}, stored, journal and rules "
            "included: a second and core",
            ours=[rate],
            unit="/s",
            beside=beside,
            note="Peers are told by remote write; of everybody all processes count.",
        )


def _native(options):
    with Qmon("points") as qmon:
        told = {"socket": str(qmon.agent.socket), "processes": 10, "seconds": options["rounds"]}
        with loading("points", {**told, "series": options["series"]}) as load:
            before = spent(qmon.family())
            sent = load.go()
            qmon.settled("points", sent)
            return sent["sent"] / (spent(qmon.family()) - before)


def _flow(rate, seconds, *, questions=()):
    with Qmon("spans") as qmon:
        time.sleep(2)
        _, *children = qmon.family()
        before = spent(children)
        command = [sys.executable, "-m", "bench.agent", str(qmon.agent.socket), str(seconds)]
        with subprocess.Popen([*command, str(rate)], stdout=subprocess.PIPE, text=True) as sender:
            looks = [*_watched(qmon, sender, questions)]
            count, took = sender.stdout.read().split()
        ended = time.monotonic()
        spans = int(count) * ROWS
        reached(partial(qmon.asked, SPANS), spans, patience_s=120, pause_s=0.05)
        told = {"spans": spans, "seconds": float(took), "after_s": time.monotonic() - ended}
        told["worker_s"] = spent(children) - before
    progress(
        f"store: {spans / told['seconds']:,.0f} spans a second for {told['seconds']:.0f} s, "
        f"at most {max(look['records'] for look in looks)} records behind, "
        f"worker {_memory(looks[-1]):.0f} MB and {told['worker_s']:.1f} s of processor"
    )
    return looks, told


def _watched(qmon, sender, questions):
    _, *children = qmon.family()
    begun, number = time.monotonic(), 0
    while sender.poll() is None:
        yield {
            "at": time.monotonic() - begun,
            "records": qmon.agent.control.get("/api/status")["store"]["lag"],
            "worker_mb": sum(each.memory_info().rss for each in children) / 1e6,
        }
        number += 1
        if questions and number % 4 == 0:
            qmon.agent.control.query({"sql": questions[number // 4 % len(questions)]})
        time.sleep(LOOK_S)


def _memory(look):
    return look["worker_mb"]


CASES = {"lag": lag, "steady": steady, "samples": samples}
