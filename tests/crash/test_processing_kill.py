"""The agent killed between its two journals: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections import Counter

import pytest

from qmon_agent.ingest.foreign import dropped_of
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Ledger, Resource
from qmon_sdk.protocol.signals import Log, Span

ROUNDS = int(os.environ.get("QMON_CRASH_ROUNDS", "3"))
SPANS = 20
UNDER_WAY = 32
SERVICE = "watched"
CONFIG = """
[samplers]
enabled = false

[[processors]]
kind = "scrub"

[[processors]]
kind = "drop"
match.name = "health"

[[processors]]
kind = "route"
match.name = "audit"
exclusive = true

[[processors]]
kind = "sample"
mode = "tail"
rate = 0.0
wait_s = 0.3
metrics = false
floor_per_minute = 0
grace_s = 0.3
"""
pytestmark = [
    pytest.mark.timeout(120 + 10 * ROUNDS),
    pytest.mark.skipif(not hasattr(socket, "SOCK_SEQPACKET"), reason="sends by packets"),
]


def a_frame(number):
    logs = [Log(body=f"password=x{number} {number}")]
    return Frame(
        process=bytes(range(16)),
        sequence=number,
        resource=Resource(service=SERVICE),
        blocks=blocks_of([*spans_of(number), *logs]),
        ledger=Ledger(captured={"span": number * SPANS, "log": number}),
    )


def spans_of(number):
    """One that is dropped, one that is routed, and the others of traces that are all errors."""
    names = ["health", "audit", *["work"] * (SPANS - 2)]
    return [
        Span(
            time=time.time_ns(),
            name=name,
            trace_id=f"{number * SPANS + n // 2:032x}",
            span_id=f"{number * SPANS + n:016x}",
            status="error",
            kind="server",
        )
        for n, name in enumerate(names)
    ]


def test_nothing_is_lost_or_doubled_between_two_journals(absent_agent, producers):
    agent = absent_agent
    agent.configure(CONFIG)
    agent.start()
    producer = producers(agent.socket, a_frame, under_way=UNDER_WAY, pause_s=0.002)
    chance = random.Random(5)
    for _ in range(ROUNDS):
        time.sleep(chance.uniform(0.2, 0.8))
        agent.stop(signal.SIGKILL)
        agent.start()
    producer.stopping.set()
    producer.join(30)

    expected = producer.sent * (SPANS - 1)
    spans = agent.wait_for("span", expected)
    logs = agent.wait_for("log", producer.sent)

    assert producer.sent > 0
    assert not producer.is_alive()
    seen = Counter(span.span_id for span in spans)
    assert (expected, {1}) == (len(seen), {*seen.values()})
    assert producer.sent == len({log.body for log in logs}) == len(logs)
    assert not [log for log in logs if "password=x" in log.body]
    fallen = sum((Counter(dropped_of(frame)) for frame in agent.frames()), Counter())
    assert {"span/processor:drop": producer.sent} == fallen
