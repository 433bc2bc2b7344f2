"""Where the soak happens: the agent with its ways in and out, and who takes what it sends."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bench.places import Agent, place
from bench.ports import free_port

TRIES = 20  # a busy machine may be too slow for the patience of a command
FLAPS_S = 20.0  # so long it takes, and as long it does not
CONFIG = """
[journal]
max_bytes = 268_435_456
segment_bytes = 16_777_216
[sources.statsd]
enabled = true
listen = "127.0.0.1:{statsd_port}"
[sources.log_files]
from_beginning = true
[[sources.log_files.files]]
paths = ["{directory}/app.log"]
[sinks.flapping]
kind = "otlp"
endpoint = "{flapping}"
timeout_s = 2.0
[sinks.webhook]
endpoint = "{steady}"
[sinks.file]
path = "{directory}/out/signals.ndjson"
max_bytes = 16_777_216
files = 2
[sinks.prometheus_exposition]
listen = "127.0.0.1:{exposition_port}"
[sinks.statsd]
address = "127.0.0.1:{drain_port}"
"""


class Taker(ThreadingHTTPServer):
    """Says yes to everything; one that flaps says 503 every other while."""

    daemon_threads = True

    def __init__(self, *, flaps):
        super().__init__(("127.0.0.1", 0), Answers)
        self.flaps, self.taken, self.refused = flaps, 0, 0
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def status(self):
        """What it says now."""
        if self.flaps and int(time.monotonic() / FLAPS_S) % 2:
            self.refused += 1
            return 503
        self.taken += 1
        return 200


class Answers(BaseHTTPRequestHandler):
    """Reads the body and says what its server says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        """Take it, or not."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.server.status())
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


class Place:
    """One running agent and what can be asked of it."""

    def __init__(self, directory, drain):
        self.directory = directory
        self.statsd_port, exposition_port = free_port(), free_port()
        self.takers = [Taker(flaps=True), Taker(flaps=False)]
        config = CONFIG.format(
            directory=directory,
            statsd_port=self.statsd_port,
            exposition_port=exposition_port,
            drain_port=drain.getsockname()[1],
            flapping=self.takers[0].url,
            steady=self.takers[1].url,
        )
        self.state = directory / "state"
        self.state.mkdir()
        (self.state / "qmon.toml").write_text(config)
        self.agent = Agent(self.state)
        self.socket = self.agent.socket
        self.url = self.agent.url

    def make_tokens(self):
        """One to send with, one to ask with."""
        self.token, self._reading = self._token("ingest"), self._token("read")

    def _token(self, scope):
        words = ["token", "create", "--scope", scope, "--json"]
        environment = {**os.environ, **self.agent.environment}
        for _ in range(TRIES):
            done = subprocess.run(
                [sys.executable, "-m", "qmon_agent.cli", *words],
                check=False,
                capture_output=True,
                env=environment,
            )
            if not done.returncode:
                break
        return json.loads(done.stdout)["token"]

    def ask(self, sql):
        """The rows of an answer."""
        return self._asked("/api/query", {"sql": sql})["rows"]

    def status(self):
        """What it says of itself."""
        return self._asked("/api/status")

    def _asked(self, path, question=None):
        headers = {"authorization": f"Bearer {self._reading}"}
        data = None if question is None else json.dumps(question).encode()
        request = urllib.request.Request(self.url + path, data, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def close(self):
        """End the agent, and who takes what it sends."""
        try:
            self.agent.stop()
        except subprocess.TimeoutExpired:
            self.agent.process.kill()
            self.agent.process.wait()
        for taker in self.takers:
            taker.shutdown()
            taker.server_close()


@contextmanager
def opened():
    """A place that is gone afterwards, with all that ran in it."""
    with place() as directory, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as drain:
        drain.bind(("127.0.0.1", 0))
        threading.Thread(target=drained, args=(drain,), daemon=True).start()
        made = Place(directory, drain)
        try:
            made.make_tokens()
            yield made
        finally:
            made.close()


def drained(drain):
    """Read what comes until it is closed."""
    with suppress(OSError):
        while drain.recv(1 << 16):
            pass
