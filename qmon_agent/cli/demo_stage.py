"""What the demo runs on: a directory, an agent, a shop; and the end of all that."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any, Self

from qmon_agent.cli._control import Control, find_control
from qmon_agent.domain.errors import QmonError
from qmon_agent.settings import find_locations

_START_S = 30.0
_END_S = 15.0
_LAST_WORDS = 15
_MOST_PATH = 85

CONFIG = """\
# What the demo watches for. Copy what you like into your own qmon.toml.

[channels.receiver]
kind = "webhook"
url = "{url}"

[[alerts]]
name = "an error of a new kind"
rule = "new_error"
system = "shop"
severity = "critical"
channels = ["receiver"]

[[alerts]]
name = "searching is slow"
system = "shop"
metric = "search.seconds"
threshold = "> 0.25"
severity = "warning"
keep_firing_for = "1m"
channels = ["receiver"]
options = {{ measure = "maximum" }}
"""


class StageError(QmonError):
    """The demo could not be set up."""

    exit_code = 2


class Stage:
    """Holds all that was started, so that all of it is ended: leave it by `with`, however."""

    def __init__(self, receiver_url: str) -> None:
        self.directory = _new_directory()
        self.socket = self.directory / "agent.sock"
        self.keep = False
        self._children: list[subprocess.Popen[str]] = []
        (self.directory / "qmon.toml").write_text(CONFIG.format(url=receiver_url))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for child in reversed(self._children):
            end(child)
        if not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)
        elif kind is not None:
            # No summary follows that would say it.
            sys.stderr.write(f"Kept: {self.directory}\n")

    @property
    def control(self) -> Control:
        """The way to ask the agent."""
        return find_control(find_locations(state=str(self.directory), socket=str(self.socket)))

    def start_agent(self) -> str:
        """Start `qmon-agent run`, wait until it is ready, and return its first line."""
        places = ["--state", str(self.directory), "--config", str(self.directory / "qmon.toml")]
        options = ["--socket", str(self.socket), "--http", "127.0.0.1:0"]
        return self.said(self._start("qmon_agent.cli", *places, "run", *options), "agent")

    def start_shop(self) -> tuple[subprocess.Popen[str], int]:
        """Start the shop, and return it and its port."""
        shop = self._start("qmon_agent.cli.demo_shop")
        return shop, int(json.loads(self.said(shop, "shop"))["port"])

    def close_shop(self, shop: subprocess.Popen[str]) -> dict[str, Any]:
        """Tell the shop that the day is over, and return the books of its SDK."""
        with contextlib.suppress(BrokenPipeError):
            _pipe(shop.stdin).close()
        books: dict[str, Any] = json.loads(self.said(shop, "shop"))
        return books

    def said(self, child: subprocess.Popen[str], name: str) -> str:
        """Wait for one line of a child's; raises with its last words if there is none."""
        line = _line_of(_pipe(child.stdout), _START_S)
        if not line:
            raise StageError(f"the demo's {name} says nothing; its last words:\n{self._log(name)}")
        return line

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[str]:
        name = "shop" if module.endswith("shop") else "agent"
        with (self.directory / f"{name}.log").open("w") as log:
            child = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment(),
                # Ctrl-C is for the demo, which ends its children in their order.
                start_new_session=True,
            )
        self._children.append(child)
        return child

    def _environment(self) -> dict[str, str]:
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("QMON_", "OTEL_"))}
        return {**ours, "QMON_STATE_DIR": str(self.directory), "QMON_SOCKET": str(self.socket)}

    def _log(self, name: str) -> str:
        lines = (self.directory / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LAST_WORDS:])


def _new_directory() -> Path:
    """Make a directory where sockets can live: their paths have little room."""
    directory = Path(tempfile.mkdtemp(prefix="qmon-demo-"))
    if len(str(directory)) <= _MOST_PATH:
        return directory
    directory.rmdir()
    return Path(tempfile.mkdtemp(prefix="qmon-demo-", dir="/tmp"))


def end(child: subprocess.Popen[str]) -> None:
    """End a child politely, then surely."""
    child.terminate()
    try:
        child.wait(_END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _line_of(pipe: IO[str], patience_s: float) -> str:
    """Read one line, or nothing when none comes in time."""
    deadline = time.monotonic() + patience_s
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if selector.select(timeout=0.2):
                return pipe.readline().strip()
    return ""


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise StageError("a child of the demo was started without its pipes")
    return pipe
