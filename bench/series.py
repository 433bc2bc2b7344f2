"""A hundred thousand series that live: each told every second, for minutes, with rules upon them.

Beside us those that keep series: the same number of them, each second for a minute, by the way that
is theirs, which is remote write.
"""

from __future__ import annotations

import statistics
import threading
import time
from functools import partial

from .daemons import HOW, spent
from .daemons.prometheus import Prometheus
from .daemons.qmon import Qmon
from .daemons.victoria import Victoria
from .figures import Figure, progress
from .ways import loading

SERIES, PROCESSES = 100_000, 10
SECONDS, OF_PEERS, QUICK = 300, 40, 20
LOOK_S = 2.0
RULES = "\n".join(
    f'[[alerts]]\nname = "metric {number}"\nmetric = "bench.metric.{number}"\n'
    'threshold = "> 1e9 for 10s"'
    for number in range(3)
)
FRESH = "SELECT coalesce(date_diff('millisecond', max(time), now()), 0) AS n FROM points"
DISTINCT = """
SELECT count(*) AS n FROM (SELECT DISTINCT metric, attributes['http.route'] FROM points
WHERE service = 'bench' AND time >
(SELECT max(time) FROM points WHERE service = 'bench') - INTERVAL 10 SECOND)
"""
PEERS = {
    "prometheus": Prometheus,
    "prometheus --enable-feature=agent": partial(Prometheus, mode="agent"),
    "victoria-metrics": Victoria,
}


def living(*, quick=False):
    """Rows: cost, memory and its growth, lag, and the time to acknowledge."""
    seconds = QUICK if quick else SECONDS
    looks, told = _ours(seconds)
    beside = {}
    for name, kind in PEERS.items():
        if getattr(kind, "func", kind).is_here():
            beside[name] = _theirs(name, kind, QUICK if quick else OF_PEERS)
        else:
            progress(f"series: {name} is left out, it is not installed ({HOW[name.split()[0]]})")
    return _figures(looks, told, beside)


def _ours(seconds):
    with Qmon("points", samplers=True, settings=RULES) as qmon:
        options = {"socket": str(qmon.agent.socket), "processes": PROCESSES}
        with loading("points", {**options, "series": SERIES, "seconds": seconds}) as load:
            time.sleep(2)
            looks = []
            done = threading.Event()
            looking = threading.Thread(target=_watch, args=(qmon, looks, done))
            looking.start()
            try:
                told = load.go(seconds + 120)
            finally:
                done.set()
                looking.join()
        progress(f"series: all acknowledged, {_said(looks[-1])}")
        qmon.settled("points", told)
        if (kept := qmon.asked(DISTINCT)) != SERIES:
            raise AssertionError(f"{SERIES:,} series sent, {kept:,} stored")
        progress(f"series: {told['sent']:,} points sent and stored, {told['late']} seconds late")
    return looks, told


def _watch(qmon, looks, done):
    main, *children = qmon.family()
    before, begun = (spent([main]), spent(children)), time.monotonic()
    while not done.wait(LOOK_S):
        status = qmon.agent.control.get("/api/status")
        looks.append(
            {
                "at": time.monotonic() - begun,
                "main_mb": main.memory_info().rss / 1e6,
                "store_mb": sum(each.memory_info().rss for each in children) / 1e6,
                "main_s": spent([main]) - before[0],
                "store_s": spent(children) - before[1],
                "rules": status["rules"]["lag"],
                "store": status["store"]["lag"],
                "stale_ms": qmon.asked(FRESH),
            }
        )
        if len(looks) % 15 == 0:
            progress(f"series: {_said(looks[-1])}")


def _said(look):
    main, store = (100 * look[part] / look["at"] for part in ("main_s", "store_s"))
    return (
        f"{look['at']:.0f} s, main {main:.0f} % of a core and {look['main_mb']:.0f} MB, "
        f"store {store:.0f} % and {look['store_mb']:.0f} MB, rules {look['rules']} and "
        f"store {look['store']} records behind, newest point {look['stale_ms']} ms old"
    )


def _theirs(name, kind, seconds):
    """Share of a core, and the most memory it had."""
    with kind("remote_write") as peer:
        options = {"series": SERIES, "rounds": seconds, "interval_s": 1.0}
        with loading("remote_write", {**options, **peer.address("remote_write")}) as load:
            before, begun = spent(peer.family()), time.monotonic()
            told = load.go(seconds + 120)
            share = 100 * (spent(peer.family()) - before) / (time.monotonic() - begun)
            memory = sum(each.memory_info().rss for each in peer.family()) / 1e6
        peer.settled("remote_write", told)
    progress(f"series: {name} {share:.0f} % of a core, {memory:.0f} MB")
    return share, memory


def _figures(looks, told, beside):
    last, settled = looks[-1], looks[len(looks) // 3 :]
    shares = {part: 100 * last[f"{part}_s"] / last["at"] for part in ("main", "store")}
    theirs = [{name: [run[n]] for name, run in beside.items()} for n in (0, 1)]
    what = f"{SERIES:,} series, each second, {last['at']:.0f} s"
    acknowledged = told["acknowledged_ms"][int(0.99 * (len(told["acknowledged_ms"]) - 1))]
    note = "Peers are told the same number of series by remote write, we by native frames."
    return [
        Figure(what=f"{what}: share of a core, main process", ours=[shares["main"]], unit="%",
               digits=1, beside=theirs[0], note=note),
        Figure(what=f"{what}: with the store worker", ours=[sum(shares.values())], unit="%",
               digits=1, beside=theirs[0]),
        Figure(what=f"{what}: resident, main process", ours=[last["main_mb"]], unit="MB",
               beside=theirs[1]),
        Figure(what=f"{what}: resident, store worker, the most",
               ours=[max(look["store_mb"] for look in looks)], unit="MB"),
        Figure(what=f"{what}: growth of the main process after the first third",
               ours=[60 * _slope(settled, "main_mb")], unit="MB/min", digits=2, wanted=("<=", 1)),
        Figure(what=f"{what}: growth of the store worker after the first third",
               ours=[60 * _slope(settled, "store_mb")], unit="MB/min", digits=2),
        Figure(what=f"{what}: rules behind, at most",
               ours=[_most(looks, "rules") / PROCESSES], unit="s", digits=1),
        Figure(what=f"{what}: store behind, at most",
               ours=[_most(looks, "store") / PROCESSES], unit="s", digits=1),
        Figure(what=f"{what}: newest point in a query, at most", ours=[_most(looks, "stale_ms")],
               unit="ms old"),
        Figure(what=f"{what}: acknowledged, p99", ours=[acknowledged], unit="ms"),
    ]  # fmt: skip


def _most(looks, part):
    """What is behind is told in records, of which each process makes one a second."""
    return float(max(look[part] for look in looks))


def _slope(looks, part):
    """By least squares, each second."""
    if len(looks) < 3:
        return 0.0
    line = statistics.linear_regression(
        [look["at"] for look in looks], [look[part] for look in looks]
    )
    return line.slope


CASES = {"series": living}
