"""An agent killed while traces wait in it: each span is stored once, or counted."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import time
from collections import Counter

import pytest

from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Ledger, Resource
from qmon_sdk.protocol.signals import Span

ROUNDS = 3
FRAMES = 20
TRACES = 50  # that begin in a frame; each ends in the next one
SPANS = 3
PATIENCE_S = 60.0
SEED = 20_261_126
CONFIG = """
[samplers]
enabled = false
[[processors]]
kind = "sample"
mode = "tail"
rate = 0.2
rare_s = 0
floor_per_minute = 2
grace_s = 0.5
wait_s = 2
metrics_every_s = 1
"""
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not hasattr(socket, "SOCK_SEQPACKET"), reason="sends by packets"),
]


def test_every_span_is_stored_once_or_counted(absent_agent, measured):
    agent, chance = absent_agent, random.Random(SEED)
    agent.options = []
    agent.configure(CONFIG)
    for number in range(ROUNDS):
        agent.start()
        agent.acknowledge(frames_of(number))
        time.sleep(chance.uniform(0.2, 1.5))
        agent.stop(signal.SIGKILL)
    agent.start()
    books = books_of(agent)
    ids = spans_of(agent)
    agent.until(lambda: requests_of(agent) >= ROUNDS * FRAMES * TRACES)

    sent = ROUNDS * FRAMES * TRACES * SPANS
    dropped = books["dropped_by_reason"]["span/processor:sample"]
    kept = Counter(trace_id for trace_id, _ in ids)
    assert {1} == set(ids.values())
    assert sent == len(ids) + dropped
    assert {(name_of(n), f"{n:015x}0") for n in traces() if is_failed(n)} <= ids.keys()
    assert ROUNDS * FRAMES * TRACES == requests_of(agent)
    assert books["adds_up"]
    whole = sum(spans == SPANS for spans in kept.values())
    measured(kills=ROUNDS, sent=sent, stored=len(ids), traces=len(kept), whole=whole)


def requests_of(agent):
    """How many were counted before any was left out."""
    sql = "SELECT sum(count) AS n FROM points WHERE metric LIKE 'traces.span.%'"
    return agent.ask("query", sql)["rows"][0]["n"] or 0


def traces():
    return range(1, ROUNDS * FRAMES * TRACES + 1)


def is_failed(number):
    return number % 40 == 0


def name_of(number):
    """Ids that are spread over all 56 bits."""
    return f"{number * 0x9E3779B97F4A7C15 % (1 << 64):032x}"


def spans_in(sequence):
    """Those that begin here, and the roots of those that began in the frame before."""
    for n in range((sequence - 1) * TRACES + 1, sequence * TRACES + 1):
        for place in range(1, SPANS):
            yield Span(
                time=time.time_ns(), trace_id=name_of(n), span_id=f"{n:015x}{place}", parent_id="f",
                name="step",
            )  # fmt: skip
    last = ROUNDS * FRAMES
    for before in {sequence - 1, sequence if sequence == last else 0} - {0}:
        for n in range((before - 1) * TRACES + 1, before * TRACES + 1):
            status = "error" if is_failed(n) else "ok"
            yield Span(
                time=time.time_ns(), trace_id=name_of(n), span_id=f"{n:015x}0", name="job",
                duration_ns=1_000_000, status=status,
            )  # fmt: skip


def frames_of(number):
    """The frames of one round."""
    return map(a_frame, range(number * FRAMES + 1, (number + 1) * FRAMES + 1))


def a_frame(sequence):
    spans = [*spans_in(sequence)]
    captured = sequence * TRACES * SPANS - (0 if sequence == ROUNDS * FRAMES else TRACES)
    return Frame(
        process=bytes(range(16)),
        sequence=sequence,
        resource=Resource(service="sampled"),
        blocks=blocks_of(spans),
        ledger=Ledger(captured={"span": captured}),
    )


def books_of(agent):
    """The books, once nothing is held or on its way to the tables."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_through(status := status_of(agent)):
        assert time.monotonic() < deadline, status
        time.sleep(0.2)
    return status["conservation"]


def status_of(agent):
    try:
        return agent.ask("status")
    except subprocess.CalledProcessError:
        return {}


def is_through(status):
    steps = status.get("processors", {}).get("steps", {})
    books = status.get("conservation", {})
    return (
        bool(steps)
        and not any(step["held"] for step in steps.values())
        and not status["processors"]["lag"]
        and books["pending"] == 0
    )


def spans_of(agent):
    rows = agent.ask("query", "SELECT trace_id, span_id FROM spans LIMIT 100000")["rows"]
    return Counter((row["trace_id"], row["span_id"]) for row in rows)
