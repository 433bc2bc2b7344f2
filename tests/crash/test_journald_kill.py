"""What an agent has started does not outlive it, though nobody is left to end it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PATIENCE_S = 30.0
SPEAKS = """#!/bin/sh
case "$*" in *--lines=1*) exit;; esac
echo $$ > {pid}
exec sleep 1000
"""
CONFIG = """
[http]
listen = "127.0.0.1:0"
[samplers]
enabled = false
[sources.journald]
enabled = true
command = "{command}"
"""


def until(is_so):
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid):
    """Not one that has ended, and waits for somebody to ask how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def agent(tmp_path):
    command, pid = tmp_path / "journalctl", tmp_path / "pid"
    command.write_text(SPEAKS.format(pid=pid))
    command.chmod(0o755)
    config = tmp_path / "qmon.toml"
    config.write_text(CONFIG.format(command=command))
    said = ["--config", str(config), "--state", str(tmp_path / "state")]
    program = [sys.executable, "-m", "qmon_agent.cli", "run", *said, "--no-store"]
    environment = {**os.environ, "QMON_SOCKET": str(tmp_path / "agent.sock")}
    with subprocess.Popen(program, env=environment, stdout=subprocess.DEVNULL) as agent:
        agent.pid_file = pid
        yield agent
        agent.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no kernel sees to it")
class TestJournalctl:
    def test_ends_with_an_agent_that_is_killed_while_nothing_comes(self, agent):
        until(lambda: agent.pid_file.exists() and agent.pid_file.read_text().strip())
        child = int(agent.pid_file.read_text())
        assert is_running(child)

        agent.kill()

        until(lambda: not is_running(child))
