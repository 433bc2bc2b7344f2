"""Real servers and workers started by `qmon-run`, and a real agent that counts what they did."""

from __future__ import annotations

import http.client
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PATIENCE_S = 40
CLIENTS = 4
KINDS = ("span", "event", "error", "log")
SLOW = "asyncio slow callback"  # a server's own loop may be held up, which is told as well


def _crash():
    """Import the real agent of `tests/crash` by its place: `tests` is on nobody's path."""
    place = HERE.parent / "crash" / "conftest.py"
    spec = importlib.util.spec_from_file_location("crash_conftest", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


crash = _crash()
absent_agent, agent, measured = crash.absent_agent, crash.agent, crash.measured


class Running:
    """A command under `qmon-run` in a directory of its own, and what it writes."""

    def __init__(self, agent, directory, words):
        self.log = directory / f"{len(list(directory.glob('*.log')))}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "qmon_sdk.run", "--", *map(str, words)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory,
                env=environment(agent),
            )  # fmt: skip

    @property
    def said(self):
        return self.log.read_text()

    def wait_for(self, text, times=1):
        """Wait until it has said something so many times."""
        crash.wait_until(
            lambda: self.said.count(text) >= times or self.process.poll() is not None,
            what=lambda: self.said,
            seconds=PATIENCE_S,
        )
        assert self.said.count(text) >= times, self.said
        return self

    def finish(self, expect=(0,)):
        """Wait for its end."""
        assert self.process.wait(PATIENCE_S) in expect, self.said
        return self

    def stop(self, number=signal.SIGTERM, expect=(0,)):
        """End it in its own good time."""
        self.process.send_signal(number)
        return self.finish(expect)


def environment(agent):
    """Everything is on the path, and compiled once: Celery takes seconds otherwise."""
    told = {**agent.environment(), "PYTHONUNBUFFERED": "1"}
    told.pop("PYTHONDONTWRITEBYTECODE", None)
    told["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return told


@pytest.fixture
def start(agent, tmp_path):
    """Start commands under `qmon-run`; what still runs in the end is killed."""
    started = []

    def run(*words):
        started.append(Running(agent, tmp_path, words))
        return started[-1]

    yield run
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()


@pytest.fixture
def counted(agent, measured):
    """Say whether each number's work is at the agent exactly once, in every kind of signal."""

    def check(count, *, processes=range(1, 100), ends_well=True, **kinds):
        numbers = sorted(map(str, range(count)))
        crash.wait_until(
            lambda: len(of_work(agent)) >= sum(kinds.values()) * count,
            what=lambda: f"{Counter(span.name for span in agent.signals('span'))}",
        )
        agent.wait_for("event", count, lambda event: "n" in event.attributes)
        spans, events = of_work(agent), agent.signals("event")
        measured(spans=len(spans), events=len(events), processes=len(by_process(agent)))
        for kind, times in kinds.items():
            told = [span for span in spans if span.kind == kind]
            assert times * count == len(told) == len({span.span_id for span in told}), kind
        for told in (spans, events):
            with_number = [each.attributes["n"] for each in told if "n" in each.attributes]
            assert numbers == sorted(with_number)
        if ends_well:
            crash.wait_until(lambda: count == done(agent), what=lambda: f"{done(agent)} done")
        assert done(agent) <= count
        assert len(by_process(agent)) in processes
        assert_books_are_right(agent)

    return check


def of_work(agent):
    return [span for span in agent.signals("span") if span.name != SLOW]


def done(agent):
    """Add up what the counter of work has said."""
    return sum(point.value for point in agent.signals("point") if point.metric == "done")


def by_process(agent):
    return {frame.process for frame in agent.frames() if frame.blocks}


def assert_books_are_right(agent):
    """captured = stored + dropped, for everything that every process has ever counted.

    A process's last word may be a frame, or a ring, that the agent reads a moment later.
    """
    crash.wait_until(lambda: not wrong_books(agent), what=lambda: wrong_books(agent))


def wrong_books(agent):
    captured, dropped = agent.books()
    lost = Counter()
    for kind_and_reason, n in dropped.items():
        lost[kind_and_reason.partition("/")[0]] += n
    told = {kind: len(agent.signals(kind)) + lost[kind] for kind in KINDS}
    wrong = [(kind, captured[kind], told[kind]) for kind in KINDS if captured[kind] != told[kind]]
    return wrong and (wrong, by_frame(agent))


def by_frame(agent):
    """Say what each frame brought and what its book said, for whoever reads a failure."""
    return [
        (frame.process.hex()[:6], frame.sequence, [(b.kind, b.rows) for b in frame.blocks],
         dict(frame.ledger.captured) if frame.ledger else None)
        for frame in agent.frames()
    ]  # fmt: skip


@pytest.fixture
def port(free_port):
    return free_port


@pytest.fixture
def ask(port):
    """Ask for `/0`, `/1`, … from several sides at once, each over a connection of its own."""

    def all_at_once(count):
        answers = []
        clients = [
            threading.Thread(target=_ask, args=(port, range(first, count, CLIENTS), answers))
            for first in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        return Counter(answers)

    def wait():
        crash.wait_until(lambda: _answers(port), seconds=PATIENCE_S)

    all_at_once.wait = wait
    return all_at_once


def _ask(port, numbers, answers):
    for number in numbers:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        connection.request("GET", f"/{number}")
        answers.append(connection.getresponse().status)
        connection.close()


def _answers(port):
    with socket.socket() as probe:
        time.sleep(0.02)
        return probe.connect_ex(("127.0.0.1", port)) == 0
