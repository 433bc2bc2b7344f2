"""How soon somebody is told: from a moment in a program until a receiver has the request.

The program says of each moment that it is bad: an error that was never seen before, and a gauge
over its line, both by the SDK; and the same gauge on a page that Prometheus scrapes. All of it at
once, while others send spans to the agent. Each moment has a gauge of its own, which was well until
then: either it was set once and left alone, or it is set all the time, as by a loop of a program.
"""

from __future__ import annotations

import contextlib
import random
import statistics
import subprocess
import sys
import threading
import time

import qmon_sdk as qmon

from .agent import ROWS
from .daemons import HOW
from .daemons.alertmanager import Alertmanager
from .daemons.prometheus import Prometheus
from .daemons.qmon import Qmon
from .figures import Figure, progress
from .receiver import receiving

EVENTS, QUICK = 100, 12
SPANS_PER_S = 50_000
APART_S = 0.3, 0.8
BUSY_HZ = 20  # times a second a gauge that is set all the time is set
WELL, BAD, NOISE = 0.0, 0.6, 0.4  # it is over its line at 0.5
SETTLE_S, PATIENCE_S = 12, 30  # it takes ten turns to know a gauge
NEARLY = 0.9  # of the load: with less, what is measured is another thing
SETTINGS = """
[channels.errors]
kind = "webhook"
url = "{errors}"

[channels.gauges]
kind = "webhook"
url = "{gauges}"

[storm]
messages = 0

[[alerts]]
name = "new"
rule = "new_error"
channels = ["errors"]

[[alerts]]
name = "trouble"
metric = "bench_trouble"
threshold = "> 0.5"
channels = ["gauges"]
flapping_window = 0
"""
RULES = """
groups:
- name: bench
  interval: 1s
  rules: [{alert: Trouble, expr: bench_trouble > 0.5}]
"""
PEER = "prometheus and alertmanager"
NOTE = (
    "Prometheus scrapes and evaluates each second, Alertmanager waits for nobody (`group_wait: 0s`)"
    "; both are told of the same moments, by the gauge."
)


def telling(*, quick=False):
    """Rows: an error, and gauges beside Prometheus with Alertmanager, at rest and set all along."""
    count, rows = QUICK if quick else EVENTS, []
    for is_busy in (False, True):
        late = _measured(count, is_busy=is_busy)
        theirs = late.get("peer")
        gauge = f"gauge set {BUSY_HZ} times a second" if is_busy else "gauge at rest"
        rows += [] if is_busy else _rows("error", late["errors"], theirs)
        rows += _rows(gauge, late["gauges"], theirs)
    return rows


def _measured(count, *, is_busy):
    """Milliseconds of each moment, by way."""
    with receiving() as receiver, contextlib.ExitStack() as stack:
        ways = ["errors", "gauges", *(["peer"] if _peer(stack, receiver) else [])]
        settings = SETTINGS.format(
            errors=receiver.address("errors"), gauges=receiver.address("gauges")
        )
        agent = stack.enter_context(Qmon(settings=settings)).agent
        qmon.init(service="bench", dsn=f"unix://{agent.socket}")
        gauges = _Gauges(receiver, count)
        try:
            if is_busy:
                stack.enter_context(gauges.set_all_the_time())
            with _spans(agent, SETTLE_S + count * sum(APART_S) / 2 + 2) as told:
                time.sleep(SETTLE_S)
                begun = [_moment(gauges, number) for number in range(count)]
                if (rate := told()) < NEARLY * SPANS_PER_S:
                    progress(f"telling: only {rate:,.0f} spans a second were taken beside it")
            return {way: _late(receiver, way, begun) for way in ways}
        finally:
            qmon.shutdown()


def _peer(stack, receiver) -> bool:
    for kind in (Prometheus, Alertmanager):
        if not kind.is_here():
            progress(f"telling: {PEER} are left out ({HOW[kind.program]})")
            return False
    alertmanager = stack.enter_context(
        Alertmanager(url=receiver.address("peer"), group_by=["..."], group_wait="0s")
    )
    scraped = {"target": receiver.address("metrics"), "rules": RULES}
    stack.enter_context(Prometheus("exposition", **scraped, alertmanager=alertmanager.port))
    return True


@contextlib.contextmanager
def _spans(agent, seconds):
    """Send spans for so long; gives what waits for the end and tells how many a second it took."""
    words = [str(agent.socket), str(seconds), str(SPANS_PER_S)]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.agent", *words], stdout=subprocess.PIPE, text=True
    )

    def told():
        frames, took = process.communicate(timeout=seconds + 60)[0].split()
        return int(frames) * ROWS / float(took)

    try:
        yield told
    finally:
        process.kill()
        process.wait()


class _Gauges:
    """One for each moment, told by the SDK and shown to Prometheus."""

    def __init__(self, receiver, count):
        self._receiver = receiver
        self._levels = dict.fromkeys(map(_name, range(count)), WELL)
        self._seen = {}
        self._set(*self._levels)

    def go_bad(self, name):
        self._levels[name] = BAD
        self._set(name)

    @contextlib.contextmanager
    def set_all_the_time(self):
        over = threading.Event()
        thread = threading.Thread(target=self._go_on, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _go_on(self, over):
        while not over.wait(1 / BUSY_HZ):
            self._set(*self._levels)

    def _set(self, *names):
        for name in names:
            self._seen[name] = value = self._levels[name] + random.uniform(0, NOISE)
            qmon.gauge("bench_trouble", value, attributes={"n": name})
        lines = [f'bench_trouble{{n="{name}"}} {value}\n' for name, value in self._seen.items()]
        self._receiver.page = "".join(lines)


def _name(number):
    return f"{number:04}"


def _moment(gauges, number):
    """Something happens, at no particular moment; when that was."""
    time.sleep(random.uniform(*APART_S))
    name = _name(number)
    trouble = type(f"Trouble{name}", (Exception,), {})
    begun = time.perf_counter()
    gauges.go_bad(name)
    try:
        raise trouble("it happened")
    except trouble as error:
        qmon.capture_exception(error)
    return begun


def _marks(number):
    name = _name(number)
    gauge = f'"n":"{name}"'.encode()
    return {"errors": f'Trouble{name}"'.encode(), "gauges": gauge, "peer": gauge}


def _late(receiver, way, begun):
    """Milliseconds for each."""
    receiver.wait(way, len(begun), patience_s=PATIENCE_S)
    first = [receiver.first(way, _marks(number)[way]) for number in range(len(begun))]
    if lost := first.count(None):
        raise AssertionError(f"{lost} of {len(begun)} never came as {way}")
    found = sorted(1000 * (at - was) for at, was in zip(first, begun, strict=True))
    half, nearly = _half_and_nearly(found)
    progress(f"telling: {way}: p50 {half:.0f} ms, p99 {nearly:.0f} ms of {len(found)}")
    return found


def _half_and_nearly(ordered):
    return statistics.median(ordered), ordered[int(0.99 * (len(ordered) - 1))]


def _rows(what, ours, theirs):
    wanted = [("<=", 250), ("<=", 1_000)]
    beside = _half_and_nearly(theirs) if theirs else ()
    return [
        Figure(
            what=f"{what} until the receiver has the request, {SPANS_PER_S:,} spans a second: {n}",
            ours=[value],
            unit="ms",
            wanted=wanted[place],
            beside={PEER: [beside[place]]} if beside else {},
            note=NOTE,
        )
        for place, (n, value) in enumerate(zip(("p50", "p99"), _half_and_nearly(ours), strict=True))
    ]


CASES = {"telling": telling}
