"""A live agent with a store, for clients of other tools that run as programs of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
LINES = pytest.StashKey[list[tuple[str, int, int, int]]]()


class Live:
    """A running agent, a token for it, and what its tables and books say."""

    def __init__(self, directory: Path, config: str = "") -> None:
        ours = {k: v for k, v in os.environ.items() if not k.startswith("QMON_")}
        places = {"QMON_STATE_DIR": directory / "state", "QMON_SOCKET": directory / "agent.sock"}
        self.environment = {**ours, **{k: str(v) for k, v in places.items()}, "PYTHONPATH": ROOT}
        (directory / "state").mkdir()
        self.directory, own = directory, config.replace("{directory}", str(directory))
        (directory / "state" / "qmon.toml").write_text(f"[samplers]\nenabled = false\n{own}")
        self._agent = subprocess.Popen(
            [sys.executable, "-m", "qmon_agent.cli", "run", "--http", "127.0.0.1:0", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=self.environment,
        )
        self.url = json.loads(self._agent.stdout.readline())["url"].rstrip("/")
        self.token, self._reading = self._new_token("ingest"), self._new_token("read")

    def _new_token(self, scope):
        command = [sys.executable, "-m", "qmon_agent.cli", "token", "create", "--scope", scope]
        deadline = time.monotonic() + 2 * PATIENCE_S
        while True:
            told = subprocess.run(
                [*command, "--json"], check=False, capture_output=True, env=self.environment
            )
            if told.returncode == 0:
                return json.loads(told.stdout)["token"]
            # A busy machine is slow, not wrong.
            assert time.monotonic() < deadline, told.stdout

    def ask(self, path, question=None):
        """What the agent answers to a reader."""
        headers = {"authorization": f"Bearer {self._reading}"}
        data = None if question is None else json.dumps(question).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def rows(self, table, columns="*"):
        """What stands in a table."""
        sql = f"SELECT {columns} FROM {table} ORDER BY time"
        return self.ask("/api/query", {"sql": sql})["rows"]

    def until(self, table, count, columns="*"):
        """The rows of a table, once there are so many."""
        deadline = time.monotonic() + PATIENCE_S
        while len(rows := self.rows(table, columns)) < count:
            assert time.monotonic() < deadline, rows
            time.sleep(0.3)
        return rows

    def books(self):
        return self.ask("/api/status")["conservation"]

    def settled(self, captured):
        """The books, once so much has come in, and all of it is stored or counted."""
        deadline = time.monotonic() + PATIENCE_S
        while (books := self.books())["captured"] < captured or books["pending"]:
            assert time.monotonic() < deadline, books
            time.sleep(0.3)
        return books

    def dsn(self, project):
        """As Sentry's clients want it."""
        return self.url.replace("://", f"://{self.token}@") + f"/{project}"

    def run(self, program, *arguments):
        """Run a program of this folder to its end."""
        path = Path(__file__).with_name("programs") / program
        subprocess.run(
            [sys.executable, path, *arguments],
            check=True,
            capture_output=True,
            timeout=60,
            env=self.environment,
        )

    def stop(self):
        self._agent.kill()
        self._agent.communicate()


@pytest.fixture(scope="module")
def live(tmp_path_factory, request):
    """One agent for a module, whose `CONFIG` is added to its configuration."""
    config = getattr(request.module, "CONFIG", "")
    live = Live(tmp_path_factory.mktemp("live"), config)
    yield live
    live.stop()


@pytest.fixture(scope="session")
def node(missing):
    """The program that runs what npm installed; `node(package)` says so where one is missing."""

    def find(package):
        program = shutil.which("node")
        if program is None or not (HERE / "node_modules" / package).is_dir():
            missing(f"{package} (apt-get install nodejs npm; npm ci --prefix tests/clients)")
        return program

    return find


@pytest.fixture
def start(missing):
    """Starts a program of Debian's, and ends it afterwards."""
    running = []

    def begin(name, *arguments, package=None):
        if shutil.which(name) is None:
            missing(f"{name} (apt-get install {package or name})")
        running.append(
            subprocess.Popen(
                [name, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        )

    yield begin
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def until():
    """Looks again and again, for a minute; returns what it found."""

    def look(find):
        deadline = time.monotonic() + 2 * PATIENCE_S
        while not (found := find()):
            assert time.monotonic() < deadline
            time.sleep(0.3)
        return found

    return look


@pytest.fixture
def tally(request):
    """Notes how much one client captured, and that it is stored, or counted with a reason."""

    def note(client, *, captured, stored, counted=0):
        line = (client, captured, stored, counted)
        request.config.stash.setdefault(LINES, []).append(line)
        assert captured == stored + counted, line

    return note


def pytest_terminal_summary(terminalreporter, config):
    """The table that says of each client: captured = stored + counted."""
    lines = config.stash.get(LINES, [])
    if lines:
        terminalreporter.section("captured = stored + counted")
    for client, captured, stored, counted in sorted(lines):
        terminalreporter.write_line(f"{client:<40} {captured:>7g} = {stored:>7g} + {counted:g}")
