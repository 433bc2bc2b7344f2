"""An agent killed while it forwards: nothing is lost, and what comes twice says so by its id."""

from __future__ import annotations

import gzip
import json
import random
import signal
import socket
import subprocess
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource
from qmon_sdk.protocol.signals import Span

ROUNDS = 4
FRAMES = 30
SPANS = 1000
PATIENCE_S = 60.0
SEED = 20_261_123
CONFIG = """
[samplers]
enabled = false
[sinks.otlp]
endpoint = "{url}"
[sinks.file]
path = "{path}"
max_bytes = 4_000_000
files = 50
"""
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not hasattr(socket, "SOCK_SEQPACKET"), reason="sends by packets"),
]


class Receiver(ThreadingHTTPServer):
    """Slow, sometimes overloaded; keeps every body it took by the id it came with."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.chance = random.Random(SEED)
        self.got = defaultdict(list)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def spans(self):
        """The ids in each request, doubles of a request left out."""
        for bodies in self.got.values():
            for part in ExportTraceServiceRequest.FromString(bodies[0]).resource_spans:
                yield from (span.span_id.hex() for span in part.scope_spans[0].spans)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
        time.sleep(self.server.chance.uniform(0, 0.3))
        status = self.server.chance.choice((200, 200, 200, 503))
        if status == 200:
            self.server.got[self.headers["idempotency-key"]].append(body)
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            return  # the agent was killed, that is what this is about


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.shutdown()
    receiver.server_close()


def test_everything_arrives_and_doubles_have_the_same_id(
    absent_agent, receiver, tmp_path, measured
):
    agent, chance, path = absent_agent, random.Random(SEED), tmp_path / "out" / "signals.ndjson"
    url = f"http://127.0.0.1:{receiver.server_port}"
    agent.configure(CONFIG.format(url=url, path=path))
    for number in range(ROUNDS):
        agent.start()
        agent.acknowledge(frames_of(number))
        time.sleep(chance.uniform(0.8, 2.0))
        agent.stop(signal.SIGKILL)
    agent.start()
    wait_until_forwarded(agent)
    agent.stop()

    expected = {f"{n:016x}" for n in range(1, ROUNDS * FRAMES * SPANS + 1)}
    spans = [*receiver.spans()]
    assert expected == set(spans)
    assert len(expected) == len(spans)
    assert all(len({*bodies}) == 1 for bodies in receiver.got.values())
    lines, doubled = lines_of(path.parent)
    assert expected == {line["fields"]["span_id"] for line in lines.values()}
    assert len(expected) == len(lines)
    doubled_requests = sum(len(bodies) - 1 for bodies in receiver.got.values())
    measured(kills=ROUNDS, requests=len(receiver.got), doubled_requests=doubled_requests)
    measured(lines=len(lines), doubled_lines=doubled)


def frames_of(number):
    """The frames of one round."""
    return map(a_frame, range(number * FRAMES + 1, (number + 1) * FRAMES + 1))


def a_frame(sequence):
    first = (sequence - 1) * SPANS + 1
    spans = [
        Span(time=n, name="work", trace_id="ab" * 16, span_id=f"{n:016x}")
        for n in range(first, first + SPANS)
    ]
    return Frame(
        process=bytes(range(16)),
        sequence=sequence,
        resource=Resource(service="forwarded"),
        blocks=blocks_of(spans),
    )


def wait_until_forwarded(agent):
    deadline = time.monotonic() + PATIENCE_S
    while (lag := lag_of(agent)) != 0:
        assert time.monotonic() < deadline, lag
        time.sleep(0.2)


def lag_of(agent):
    """Records no sink may miss; None while the agent is not well, as with a breaker open."""
    try:
        return sum(sink["lag"] for sink in agent.ask("status")["sinks"].values())
    except subprocess.CalledProcessError:
        return None


def lines_of(directory):
    """Every line of every file by what tells a double, and how many were doubled."""
    lines, doubled = {}, 0
    for path in directory.glob("signals.ndjson*"):
        for text in path.read_text().splitlines():
            line = json.loads(text)
            key = line["batch"], line["line"]
            doubled += key in lines
            assert line == lines.setdefault(key, line)
    return lines, doubled
