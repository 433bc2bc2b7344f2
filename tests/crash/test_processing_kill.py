"""The agent killed between its two journals: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from collections import Counter, OrderedDict

import pytest

from qmon_agent.ingest.foreign import dropped_of
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Ledger, Resource, decode_ack, encode_frame, pack_length
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


class Producer(threading.Thread):
    """Sends frames, again after every break, until it is told to stop and all are acknowledged."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.sent = 0
        self.stopping = threading.Event()
        self._path = path
        self._open = OrderedDict()

    def run(self):
        while not (self.stopping.is_set() and not self._open):
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
                    connection.settimeout(5)
                    connection.connect(str(self._path))
                    self._converse(connection)
            except OSError:
                time.sleep(0.01)

    def _converse(self, connection):
        for message in self._open.values():
            connection.sendall(message)
        while self._open or not self.stopping.is_set():
            while len(self._open) < UNDER_WAY and not self.stopping.is_set():
                connection.sendall(self._next())
                time.sleep(0.002)
            for sequence in decode_ack(connection.recv(1 << 20)[4:]).sequences:
                self._open.pop(sequence, None)

    def _next(self):
        self.sent += 1
        frame = Frame(
            process=bytes(range(16)),
            sequence=self.sent,
            resource=Resource(service=SERVICE),
            blocks=blocks_of(
                [*spans_of(self.sent), Log(body=f"password=x{self.sent} {self.sent}")]
            ),
            ledger=Ledger(captured={"span": self.sent * SPANS, "log": self.sent}),
        )
        self._open[self.sent] = pack_length(encode_frame(frame))
        return self._open[self.sent]


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


def test_nothing_is_lost_or_doubled_between_two_journals(absent_agent):
    agent = absent_agent
    agent.configure(CONFIG)
    agent.start()
    producer = Producer(agent.socket)
    producer.start()
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
