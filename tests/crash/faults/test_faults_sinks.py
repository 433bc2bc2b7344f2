"""Every sink under every fault: all that was acknowledged arrives; a double is the same batch."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from itertools import count

import judges
import proxies
import pytest
import sides
import storms
from producers import UnixProducer, Verdict

from qmon_agent.forward.sinks import SINKS
from qmon_sdk.protocol.signals import Span

pytestmark = pytest.mark.timeout(300)
CALM_S = 1.0
LASTS_S = 3.0
PATIENCE_S = 90.0
MIXED = "backend mixed"
BACKEND = {f"backend {fault}": fault for fault in proxies.FAULTS}
COUNTED = ("retries", "rejected", "passed_over", "unanswered")
KINDS = ("span", "point", "log")
# Between two agents, these cannot say which batch it was: after a kill a part may come again.
UNANSWERED = ("syslog",)  # nobody knows what the kernel had when a connection broke
SAY_NO_BATCH = ("statsd", "prometheus_exposition")


class SinkProducer(UnixProducer):
    """What one kind of sink takes, by the native way in."""

    name_of_source, service = "item", "shop"
    # Some sinks send a request for each item, and one process here plays all the other sides.
    at_once, pause_s = 2, 0.1

    def __init__(self, stage, kind, signal):
        self._ids = count(1)
        self.signal, self.process = signal, bytes([KINDS.index(kind) + 100] * 16)
        super().__init__(stage)

    def signals_of(self, items):
        signals = [self.signal(item.replace("_", "-")) for item in items]
        return [self.of_its_own(signal) for signal in signals]

    def of_its_own(self, signal):
        """Spans that say they are the same one would be taken for it."""
        if not isinstance(signal, Span):
            return signal
        number = next(self._ids)
        return signal.replace(trace_id=f"{number:032x}", span_id=f"{number:016x}")

    def promised(self):
        return {item.replace("_", "-") for item in self.acknowledged}


@pytest.fixture
def behind(tmp_path, backends):
    """The other sides of all sinks."""
    made = [sides.Behind(name, tmp_path / name, backends) for name in sides.SIDES]
    yield made
    for each in made:
        each.close()


@pytest.fixture
def lines(make_agent, behind, stage_for):
    """For each kind of signal an agent, the sinks of that kind, and who sends."""
    made = []
    for kind in KINDS:
        its = sorted(
            (each for each in behind if each.kind == kind),
            key=lambda each: each.name == "prometheus_exposition",
        )
        stage = stage_for(make_agent(options=("--no-store",)))
        stage.agent.configure(config_of(its))
        stage.agent.start()
        # The last one's signals suit all: those of `prometheus_exposition` have to be new.
        producer = SinkProducer(stage, kind, its[-1].side.signal)
        stage.token = ""
        producer.begin()
        made.append((stage, producer, its))
    yield made
    for _, producer, _ in made:
        producer.close()


def config_of(behind):
    text = f"[samplers]\nenabled = false\n{storms.BUDGETS}"
    for each in behind:
        text += f"[sinks.{each.name}]\n"
        text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in each.options.items())
    return text


@pytest.mark.parametrize("name", SINKS.names())
def test_every_sink_has_another_side(name):
    assert name in sides.SIDES


@pytest.mark.parametrize("fault", [MIXED, *BACKEND, *storms.FAULTS] if storms.WHOLE else [MIXED])
def test_all_that_was_acknowledged_arrives(fault, lines, results):
    time.sleep(CALM_S)
    befall(fault, lines)
    time.sleep(CALM_S)
    judges.all_ended([producer for _, producer, _ in lines])

    verdicts = {}
    for stage, producer, its in lines:
        counted = settled(stage)
        for each in its:
            told = counted[each.name]
            verdicts[each.name] = verdict(each, producer, fault=fault, counted=told)

    results(fault, verdicts)
    assert not judges.complaints(verdicts)


def befall(fault, lines):
    if fault in storms.FAULTS:
        for stage, _, _ in lines:
            storms.FAULTS[fault](stage)
        return
    behind = [each for _, _, its in lines for each in its if each.proxy]
    faults = [BACKEND[fault]] if fault in BACKEND else proxies.FAULTS
    for number, each in enumerate(behind):
        each.proxy.switch(faults[number % len(faults)])
    began = time.monotonic()
    time.sleep(LASTS_S)
    while not_hit := [each.name for each in behind if not each.proxy.hits]:
        assert time.monotonic() - began < PATIENCE_S, not_hit
        time.sleep(0.1)
    for each in behind:
        each.proxy.switch("")


def settled(stage):
    """What each sink counts, once all of them have delivered everything."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        told = json.loads(stage.agent.command("status", "--json").stdout)["sinks"]
        if not sum(sink["lag"] for sink in told.values()) or time.monotonic() > deadline:
            return told
        time.sleep(0.3)


def verdict(behind, producer, *, fault, counted):
    """Lost: what did not come. Doubled: what came in two batches that are not the same."""
    batches = defaultdict(Counter)
    for batch, item in behind.arrived():
        batches[item][batch] += 1
    promised = producer.promised()
    may_repeat = behind.name in SAY_NO_BATCH and fault == "kill -9"
    doubled = [item for item, ids in batches.items() if is_double(behind, ids)]
    lost = sorted(promised - batches.keys())
    if behind.name in UNANSWERED and fault not in storms.FAULTS:
        lost, counted = [], {**counted, "unanswered": len(lost)}
    told = {name: counted.get(name) for name in COUNTED}
    return Verdict(
        sent=len(producer.sent),
        acknowledged=len(promised),
        stored=len(batches.keys() & promised),
        lost=lost,
        doubled=[] if may_repeat else doubled,
        counted={name: n for name, n in told.items() if n},
    )


def is_double(behind, ids):
    return len(ids) > 1 or (behind.name in SAY_NO_BATCH and ids.total() > 1)
