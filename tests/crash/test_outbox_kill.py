"""`kill -9` between any two steps of evaluate, write, lease, send and settle."""

import importlib.util
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from qmon_agent.alerting import AlertService
from qmon_agent.store.state import StateStore

CHILD = Path(__file__).with_name("outbox_child.py")
ROOT = CHILD.parents[2]
STEPS = ("before-write", "after-write", "after-lease", "before-send", "after-send", "after-settle")


class Receiver(ThreadingHTTPServer):
    """A real receiver that de-duplicates by key, and has moods."""

    daemon_threads = True

    def __init__(self, seed):
        super().__init__(("127.0.0.1", 0), Handler)
        self.chance, self.lock = random.Random(seed), threading.Lock()
        self.calls, self.accepted = Counter(), {}
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def take(self, key, body):
        with self.lock:
            self.calls[key] += 1
            mood = self.chance.choice([200] * 8 + [500, 429])
            if mood == 200:
                self.accepted.setdefault(key, []).append(body)
            return mood


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(self.server.take(self.headers["webhook-id"], body))
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    receiver = Receiver(seed=5)
    yield receiver
    receiver.shutdown()
    receiver.server_close()


@pytest.fixture
def begin():
    return time.time_ns()


@pytest.fixture
def expected(tmp_path, begin):
    """The keys of a life without any crash."""
    spec = importlib.util.spec_from_file_location("outbox_child", CHILD)
    child = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(child)
    store = StateStore.open(f"sqlite:///{tmp_path}/control.db")
    alerts = AlertService(store, channels=("hook",))
    alerts.declare(child.ALERTS)
    for batch in child.story(begin):
        alerts.observe(batch)
    keys = {row[1] for row in store.view("notifications")[1]}
    store.close()
    return keys


@pytest.fixture
def life(tmp_path, receiver, begin):
    """Start one more life of the child on the same database."""
    url = f"http://127.0.0.1:{receiver.server_port}/"

    def start(step="never", at=1):
        command = [
            sys.executable,
            str(CHILD),
            f"{tmp_path}/state.db",
            url,
            str(begin),
            step,
            str(at),
        ]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)

    return start


def outcomes(tmp_path):
    store = StateStore.open(f"sqlite:///{tmp_path}/state.db")
    rows = store.view("notifications")[1]
    transitions = [store.incidents.transitions_of(row.id) for row in store.incidents.find()]
    store.close()
    return {row[1]: row[4] for row in rows}, transitions


def judge(tmp_path, receiver, expected):
    """Every message accepted at least once; all acceptances of a key are one message."""
    became, transitions = outcomes(tmp_path)
    assert dict.fromkeys(expected, "sent") == became
    assert expected == set(receiver.accepted)
    for key, bodies in receiver.accepted.items():
        told = {
            (body["qmon"]["incident"], body["status"], body["qmon"]["fired_at"]) for body in bodies
        }
        assert 1 == len(told), key
    for moves in transitions:
        assert 1 >= sum(move.after == "firing" and move.before != "recovering" for move in moves)


class TestKill:
    @pytest.mark.parametrize("step", STEPS)
    def test_at_every_step_loses_and_doubles_nothing(
        self, tmp_path, life, receiver, expected, step
    ):
        first = life(step, at=4)
        first.communicate(timeout=60)
        second = life()
        second.communicate(timeout=60)

        assert (-9, 0) == (first.returncode, second.returncode)
        judge(tmp_path, receiver, expected)

    def test_at_random_moments_loses_and_doubles_nothing(self, tmp_path, life, receiver, expected):
        chance = random.Random(11)
        for _ in range(6):
            killed = life()
            killed.stdout.readline()
            time.sleep(chance.uniform(0, 0.25))
            killed.kill()
            killed.communicate(timeout=60)
        last = life()
        last.communicate(timeout=60)

        assert 0 == last.returncode
        judge(tmp_path, receiver, expected)
        repeats = sum(receiver.calls.values()) - len(expected)
        print(f"{len(expected)} messages, {repeats} sendings repeated, none lost")
