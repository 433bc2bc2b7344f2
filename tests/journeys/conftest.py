"""A place where several agents may live, and the command line among them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
TRIES = 5
SENDS = 'import qmon_sdk as q; q.init(service="{}"); q.count("orders"); q.flush(10); q.shutdown()'


class Home:
    """A directory where agents live side by side; the environment names the usual one."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.agents: list[subprocess.Popen] = []
        ours = {k: v for k, v in os.environ.items() if not k.startswith("QMON_")}
        self.state, self.socket = directory / "usual", directory / "agent.sock"
        places = {"QMON_STATE_DIR": str(self.state), "QMON_SOCKET": str(self.socket)}
        self.environment = {**ours, **places, "PYTHONPATH": str(ROOT)}

    def start(self, *options: str, **environment: str) -> subprocess.Popen:
        agent = subprocess.Popen(
            [sys.executable, "-m", "qmon_agent.cli", "run", "--http", "127.0.0.1:0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, **environment},
        )
        self.agents.append(agent)
        agent.ready = agent.stdout.readline()
        return agent

    def end(self) -> None:
        """Whoever lives here still lives no longer."""
        for agent in self.agents:
            if agent.poll() is None:
                agent.kill()
            agent.communicate()

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "qmon_agent.cli", *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_S,
            env={**self.environment, **environment},
        )

    def ask(self, *arguments: str, **environment: str):
        """What a command says; asked again where a busy machine is too slow for its patience."""
        for _ in range(TRIES):
            done = self.command(*arguments, "--json", **environment)
            if "has not answered" not in done.stdout + done.stderr:
                break
        return json.loads(done.stdout)

    def send(self, service: str, **environment: str) -> None:
        self.program(SENDS.format(service), **environment)

    def program(self, text: str, **environment: str) -> None:
        run = [sys.executable, "-c", text]
        subprocess.run(run, check=True, env={**self.environment, **environment})

    @staticmethod
    def until(is_so) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    yield home
    home.end()
