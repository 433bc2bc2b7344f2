"""Where a run keeps its state, and the processes it starts and ends there."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from qmon_agent.cli._control import Control

READY_S = 60
PATIENCE_S = 120


@contextlib.contextmanager
def place():
    """Make a directory that is gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="qmon-bench-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Patient(Control):
    """Waits for answers as long as a busy machine takes."""

    def get(self, route):
        return self._ask("GET", route, timeout_s=PATIENCE_S)

    def post(self, route, body):
        return self._ask("POST", route, body=body, timeout_s=PATIENCE_S)


class Agent:
    """A real `qmon-agent run`, with what it took to get ready."""

    def __init__(self, state: Path, *options: str, cpu: int | None = None) -> None:
        self.socket = state / "agent.sock"
        begun = time.perf_counter()
        said = state / "said"
        with said.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "qmon_agent.cli", "run", "--state", str(state), "--socket",
                 str(self.socket), "--http", "127.0.0.1:0", *options],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )  # fmt: skip
        if cpu is not None:
            os.sched_setaffinity(self.process.pid, {cpu})
        line = self.process.stdout.readline()
        self.ready_s = time.perf_counter() - begun
        if not line.startswith("qmon-agent ready"):
            raise RuntimeError(f"the agent said {line!r} {said.read_text()[-500:]!r}")
        told = dict(word.partition("=")[::2] for word in line.split())
        self.url = told.get("url", "").rstrip("/")
        self.control = Patient(self.socket.with_name("control.sock"), query_timeout_s=PATIENCE_S)

    @property
    def environment(self) -> dict[str, str]:
        """What tells another program where this agent is."""
        return {"QMON_STATE_DIR": str(self.socket.parent), "QMON_SOCKET": str(self.socket)}

    @property
    def pid(self) -> int:
        """The main process."""
        return self.process.pid

    def processes(self) -> list[psutil.Process]:
        """The main process, and those that it started."""
        main = psutil.Process(self.pid)
        return [main, *main.children(recursive=True)]

    def wait_for_store(self) -> None:
        """The store worker is started behind the ready line."""
        deadline = time.monotonic() + PATIENCE_S
        while self.control.get("/api/status")["store"]["state"] != "running":
            if time.monotonic() > deadline:
                raise TimeoutError("the store worker does not start")
            time.sleep(0.2)

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End it and wait."""
        self.process.send_signal(how)
        self.process.wait(READY_S)
        self.process.stdout.close()


@contextlib.contextmanager
def sink():
    """Run the HTTP sink; gives its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.sink"], stdout=subprocess.PIPE, text=True
    )
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(READY_S)
        process.stdout.close()
