"""Agent, NATS and agent, each killed while frames travel: nothing is lost, and nothing doubled."""

from __future__ import annotations

import random
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter

import pytest

from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource
from qmon_sdk.protocol.signals import Span

SEED = 20_261_126
FRAMES = 40
SPANS = 50
SENDER = """
[samplers]
enabled = false
[sinks.nats]
servers = ["{url}"]
timeout_s = 2
"""
TAKER = """
[samplers]
enabled = false
[sources.nats]
enabled = true
servers = ["{url}"]
ack_wait_s = 2
"""
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not hasattr(socket, "SOCK_SEQPACKET"), reason="sends by packets"),
]


class NatsServer:
    """A real one, which keeps its streams when it is killed."""

    def __init__(self, program, directory, port):
        where = ["-a", "127.0.0.1", "-p", str(port)]
        self.url = f"nats://127.0.0.1:{port}"
        self._command = [program, *where, "-js", "-sd", str(directory)]
        self._process = None
        self._port = port

    def start(self, until):
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._listens)

    def stop(self, _=None):
        if self._process:
            self._process.kill()
            self._process.wait()

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


@pytest.fixture
def server(tmp_path, missing, make_agent, free_port):
    program = shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if not program:
        missing("nats-server (apt-get install nats-server)")
    server = NatsServer(program, tmp_path / "streams", free_port)
    server.start(make_agent().until)
    yield server
    server.stop()


async def make_stream(url):
    import nats

    client = await nats.connect(url)
    await client.jetstream().add_stream(name="frames", subjects=["qmon.frames"])
    await client.close()


async def test_every_span_arrives_once(server, make_agent, measured):
    await make_stream(server.url)
    sender, taker = make_agent(), make_agent()
    sender.configure(SENDER.format(url=server.url))
    taker.configure(TAKER.format(url=server.url))
    chance, number = random.Random(SEED), 0
    for each in (sender, taker):
        each.start()
    for victim in (taker, server, sender, taker, server):
        sender.acknowledge(frames_of(number))
        number += 1
        time.sleep(chance.uniform(0.0, 0.6))
        victim.stop(signal.SIGKILL)
        victim.start(sender.until) if victim is server else victim.start()
    sender.acknowledge(frames_of(number))

    arrived = taker.wait_for("span", (number + 1) * FRAMES * SPANS, is_of_ours)

    counted = Counter(span.span_id for span in arrived)
    assert {f"{n:016x}" for n in range(1, (number + 1) * FRAMES * SPANS + 1)} == counted.keys()
    assert {1} == {*counted.values()}
    measured(kills=number, spans=len(arrived))


def is_of_ours(span):
    return span.name == "work"


def frames_of(number):
    """The frames of one round."""
    return map(a_frame, range(number * FRAMES + 1, (number + 1) * FRAMES + 1))


def a_frame(sequence):
    first = (sequence - 1) * SPANS + 1
    ids = range(first, first + SPANS)
    spans = [Span(time=n, name="work", trace_id="ab" * 16, span_id=f"{n:016x}") for n in ids]
    return Frame(
        process=bytes(range(16)),
        sequence=sequence,
        resource=Resource(service="watched"),
        blocks=blocks_of(spans),
    )
