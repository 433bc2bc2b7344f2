"""A scheduled job dies in silence: somebody is told within seconds, and again when it is back."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from yardstick import slowness, yardstick

# Its schedule is known from nothing but what it says itself.
JOB = """
import time, qmon_sdk as qmon
qmon.init(service="shop")
@qmon.monitor("backup", schedule="every 1s", margin=4)
def backup(): pass
while True:
    backup()
    time.sleep(1)
"""
CONFIGURATION = """
[[alerts]]
name = "A job does not run"
rule = "missed_checkin"
severity = "error"

[channels.desk]
kind = "webhook"
url = "{}"
"""
SECONDS_TO_TELL = 10.0  # of which the schedule takes five


class Receiver(BaseHTTPRequestHandler):
    """Keeps what it is sent, with the moment."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append((time.monotonic(), json.loads(body)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture
def receiver():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.told = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def agent(home, receiver):
    home.state.mkdir(parents=True)
    url = f"http://127.0.0.1:{receiver.server_port}/"
    (home.state / "qmon.toml").write_text(CONFIGURATION.format(url))
    home.start()
    return home


@pytest.fixture
def job(agent):
    """Start the job; it goes on until it is killed."""
    started = []

    def start():
        started.append(subprocess.Popen([sys.executable, "-c", JOB], env=agent.environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def states(receiver):
    return [alert["status"] for _, message in receiver.told for alert in message["alerts"]]


class TestJob:
    def test_that_is_killed_is_missed_within_seconds(self, agent, job, receiver):
        running = job()
        agent.until(lambda: 2 <= checkins(agent))
        time.sleep(6)  # well for longer than its margin
        assert [] == receiver.told

        running.kill()
        killed = time.monotonic()
        agent.until(lambda: receiver.told)
        [(told, message)] = receiver.told
        assert told - killed < SECONDS_TO_TELL * slowness(yardstick())
        assert "backup missed: the run that was due" in json.dumps(message)

        agent.until(lambda: checkins(agent, "missed") > 0)
        job()
        agent.until(lambda: states(receiver) == ["firing", "resolved"])


def checkins(agent, status="ok"):
    question = f"SELECT count(*) AS n FROM checkins WHERE service = 'shop' AND status = '{status}'"
    done = agent.command("query", question, "--json")
    return json.loads(done.stdout)["rows"][0]["n"] if done.returncode == 0 else 0
