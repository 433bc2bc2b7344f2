"""Ten thousand rules over a thousand series, each of which tells a point every second.

In one process, without an agent around it: what is measured is the processor time that judging
takes, checkpoints to the state store included, which is what an agent spends on it beside all else.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.domain.clock import HandClock
from qmon_agent.domain.point_columns import PointColumns
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.signals import Point

from .figures import Figure, progress

RULES, SERIES = 10_000, 1_000
SECONDS, QUICK, WARM = 20, 5, 3
KINDS = {
    "threshold": {"threshold": "> 50 for 10s"},
    "rate_of_change": {"rule": "rate_of_change", "threshold": "> 50", "options": {"window": "1m"}},
    "percentile": {"rule": "percentile", "threshold": "> 50", "options": {"window": "1m"}},
    "forecast": {"rule": "forecast", "threshold": "> 50", "options": {"window": "5m"}},
}
FOUR = [*KINDS]
ASKED = ('{{"metric.{n}"}} > {line}', "max_over_time(metric_{n}[1m]) > {line}")


def judging(*, quick=False):
    """Share of a core that judging takes, of the simplest rule, a mixture, and expressions."""
    figures = []
    for name, kinds in (("threshold", ["threshold"]), ("four kinds", FOUR), ("promql", ["promql"])):
        what = f"{RULES:,} rules over {SERIES:,} series each second, {name}"
        progress(what)
        turns, declared = _spent(kinds, QUICK if quick else SECONDS)
        shares = [100 * spent for spent in turns]
        figures += [
            Figure(what=what, ours=shares, unit="% of a core", digits=1, wanted=("<=", 30.0)),
            Figure(what=f"to take them up, {name}", ours=[declared], unit="s", digits=1),
        ]
    return figures


def _spent(kinds, seconds):
    """Processor seconds for each second of data, and what it takes to take the rules up."""
    clock = HandClock()
    with tempfile.TemporaryDirectory() as place:
        store = StateStore.open(f"sqlite:///{Path(place) / 'state.db'}", clock)
        try:
            service = AlertService(store, clock=clock)
            began = time.process_time()
            service.declare([_alert(n, kinds[n % len(kinds)]) for n in range(RULES)])
            declared = time.process_time() - began
            turns = [_second(service, clock, n) for n in range(WARM + seconds)]
        finally:
            store.close()
    return turns[WARM:], declared


def _second(service, clock, n):
    now = clock.turn(1)
    points = [
        Point(time=now, metric=f"metric.{i}", value=_value(i, n), attributes={"place": f"p{i}"})
        for i in range(SERIES)
    ]
    batch = PointColumns([block_of("point", points)])
    began = time.process_time()
    service.observe(Observed(service="bench", time=now, points=batch, position=str(n)))
    service.tick(now)
    return time.process_time() - began


def _value(i, n):
    """Healthy and never the same, but for one series of a hundred that comes and goes."""
    return 10.0 * (i % 7) / 2 + n % 3 + (60.0 if i % 100 == n // 7 % 100 else 0.0)


def _alert(n, kind):
    if kind == "promql":
        expr = ASKED[n % len(ASKED)].format(n=n % SERIES, line=50 + n // SERIES)
        options = {"expr": expr, "interval": "1s"}
        return AlertOptions(name=f"rule {n}", rule="promql", for_="10s", options=options)
    return AlertOptions(name=f"rule {n}", metric=f"metric.{n % SERIES}", **KINDS[kind])


CASES = {"rules": judging}
