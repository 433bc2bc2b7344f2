"""A live agent with a store, for clients of other tools that run as programs of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0


class Live:
    """A running agent, a token for it, and what its tables and books say."""

    def __init__(self, directory: Path, config: str = "") -> None:
        ours = {k: v for k, v in os.environ.items() if not k.startswith("QMON_")}
        places = {"QMON_STATE_DIR": directory / "state", "QMON_SOCKET": directory / "agent.sock"}
        self.environment = {**ours, **{k: str(v) for k, v in places.items()}, "PYTHONPATH": ROOT}
        (directory / "state").mkdir()
        (directory / "state" / "qmon.toml").write_text(f"[samplers]\nenabled = false\n{config}")
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
        told = subprocess.run(
            [*command, "--json"], check=True, capture_output=True, timeout=60, env=self.environment
        )
        return json.loads(told.stdout)["token"]

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
