"""Sockets handed over by a service manager: who sends while no agent runs waits, and is served."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

# What systemd does between fork and exec.
LAUNCH = """
import os, sys
count = int(sys.argv[1])
for number in range(count):
    os.dup2(int(sys.argv[2 + number]), 3 + number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count))
os.execv(sys.executable, [sys.executable, "-m", "qmon_agent.cli", "run", *sys.argv[2 + count:]])
"""
SENDS = """
import qmon_sdk as q
q.init(service="shop")
q.count("orders")
assert q.flush(25), q.stats()
q.shutdown()
"""
QUIET = "[samplers]\nenabled = false\n"


@pytest.fixture
def manager(home):
    """Holds both sockets, and starts agents with them."""
    manager = Manager(home)
    yield manager
    manager.close()


class Manager:
    def __init__(self, home) -> None:
        self.home = home
        self.packets = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.packets.bind(str(home.socket))
        self.port = socket.socket()
        self.port.bind(("127.0.0.1", 0))
        for each in (self.packets, self.port):
            each.listen(16)
        self.url = f"http://127.0.0.1:{self.port.getsockname()[1]}"
        self.config = home.directory / "quiet.toml"
        self.config.write_text(QUIET)

    def start(self):
        held = [fcntl.fcntl(each.fileno(), fcntl.F_DUPFD, 20) for each in (self.packets, self.port)]
        agent = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, "2", *map(str, held), *self.options()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.home.environment,
            pass_fds=held,
        )
        for descriptor in held:
            os.close(descriptor)
        self.home.agents.append(agent)
        agent.ready = agent.stdout.readline()
        return agent

    def options(self):
        return ["--no-store", "--http", self.url[7:], "--config", str(self.config)]

    def close(self):
        self.packets.close()
        self.port.close()


class TestHandedOverSockets:
    def test_are_used_and_outlive_the_agent(self, home, manager):
        agent = manager.start()
        home.send("shop")

        assert f"url={manager.url} " in agent.ready
        home.until(lambda: home.ask("status")["conservation"]["received"])
        agent.terminate()
        assert 0 == agent.wait(30)
        assert stat.S_ISSOCK(home.socket.stat().st_mode)

    def test_let_senders_wait_while_nobody_runs(self, home, manager):
        sender = subprocess.Popen([sys.executable, "-c", SENDS], env=home.environment)
        with ThreadPoolExecutor(1) as threads:
            asked = threads.submit(urllib.request.urlopen, f"{manager.url}/healthz", timeout=30)
            manager.start()

            assert 200 == asked.result().status
        assert 0 == sender.wait(30)
        home.until(lambda: home.ask("status")["conservation"]["received"])

    def test_that_are_meant_for_another_process_are_left_alone(self, home):
        agent = home.start("--no-store", LISTEN_PID="1", LISTEN_FDS="2")

        assert f"socket={home.socket} " in agent.ready
