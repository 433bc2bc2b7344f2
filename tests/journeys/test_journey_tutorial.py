"""The tutorial, followed to the letter but for its ports: application, alert, webhook."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from ports import free_port

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/tutorial/first-application.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = [text for kind, text in BLOCK.findall(PAGE) if kind == "python"]
CONFIGURATION = next(text for kind, text in BLOCK.findall(PAGE) if kind == "toml")
PATIENCE_S = 60.0


class Desk:
    """Four terminals in one directory; ports nobody else uses take the place of the tutorial's."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports = {usual: str(free_port()) for usual in ("8000", "9000", "7690")}
        ours = {k: v for k, v in os.environ.items() if not k.startswith("QMON_")}
        self.environment = {
            **ours,
            "QMON_STATE_DIR": str(directory / "state"),
            "QMON_SOCKET": str(directory / "agent.sock"),
            "PYTHONPATH": str(ROOT),
        }
        self.running: list[subprocess.Popen] = []

    def save(self, name: str, text: str) -> None:
        (self.directory / name).write_text(self.with_ports(text))

    def with_ports(self, text: str) -> str:
        return re.sub("|".join(self.ports), lambda usual: self.ports[usual[0]], text)

    def start(self, *arguments: str, says: str) -> subprocess.Popen:
        with (self.directory / says).open("a") as output:
            child = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=self.directory,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.running.append(child)
        return child

    def start_agent(self, *options: str) -> subprocess.Popen:
        agent = self.start("-m", "qmon_agent.cli", "run", *self.http, *options, says="agent.log")
        self.until("qmon-agent ready", "agent.log")
        return agent

    @property
    def http(self) -> tuple[str, str]:
        return "--http", f"127.0.0.1:{self.ports['7690']}"

    def ask(self, command: str) -> str:
        """What a command line of the tutorial prints."""
        words = shlex.split(command)[1:]
        return subprocess.run(
            [sys.executable, "-m", "qmon_agent.cli", *words],
            cwd=self.directory,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def pay(self, amount: int) -> None:
        """Ask the shop, once it serves."""
        address = f"http://127.0.0.1:{self.ports['8000']}/pay/{amount}"
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(address).close()
            except urllib.error.HTTPError as refused:
                refused.close()
            except OSError:
                time.sleep(0.1)
                continue
            return

    def until(self, words: str, file: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while words not in (self.directory / file).read_text():
            assert time.monotonic() < deadline, (words, (self.directory / file).read_text())
            time.sleep(0.1)


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    yield desk
    for child in desk.running:
        child.kill()
        child.wait()


@pytest.mark.slow
class TestTutorial:
    def test_shows_what_it_says(self, desk):
        shop, receiver = PROGRAMS
        desk.save("shop.py", shop)
        desk.save("receiver.py", receiver)
        desk.save("qmon.toml", CONFIGURATION)
        first = desk.start_agent()
        desk.start("shop.py", says="shop.log")
        be_a_customer(desk)
        see_answers(desk)
        end(first)
        desk.start("receiver.py", says="receiver.log")
        be_told(desk)


def be_a_customer(desk):
    for amount in (3, 20, 50, 99):
        desk.pay(amount)


def see_answers(desk):
    """Every command of the fourth step finds something."""
    spans, errors, points = re.findall(r"^\$ (qmon-agent query .*)$", PAGE, re.MULTILINE)
    eventually(lambda: "unset" in desk.ask(spans))
    eventually(lambda: "the card was declined" in desk.ask(errors))
    eventually(lambda: "orders.waiting" in desk.ask(points))


def be_told(desk):
    """Of both alerts at both places, and that the queue is short again."""
    assert "qmon.toml" in desk.ask("qmon-agent check-config --config qmon.toml")
    desk.start_agent("--config", "qmon.toml")
    desk.pay(99)
    for file in ("agent.log", "receiver.log"):
        desk.until("Something new is broken", file)
        desk.until("[FIRING] warning: Too many orders are waiting", file)
        desk.until("[RESOLVED] warning: Too many orders are waiting", file)
    assert "Too many orders are waiting" in desk.ask("qmon-agent incidents")


def end(child):
    child.send_signal(signal.SIGINT)
    assert child.wait(PATIENCE_S) == 0


def eventually(is_so):
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)
