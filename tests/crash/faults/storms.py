"""What may happen to a living agent, each for a moment: the fault begins, lasts, and is over."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

WHOLE = os.environ.get("QMON_FAULTS") == "all"  # else a few of them, in every run of the tests
LASTS_S = 2.0
DISK = "512m"  # the journal leaves 256 MiB of a disk to others
HOUR_S = 3_600
CLOCK = Path(__file__).with_name("stepped_clock.c")
# Each item has a name of its own; beyond a budget it would be kept under that of the overflow.
BUDGETS = """[cardinality]
series_per_metric = 1_000_000
series_per_service = 1_000_000
series_per_peer = 1_000_000
series = 1_000_000
span_names = 1_000_000
event_names = 1_000_000
"""
# What writes to files, and nothing that writes to sockets.
WRITES = "fsync,fdatasync,pwrite64,pwritev,pwritev2,ftruncate,fallocate"


def killed(stage):
    """SIGKILL, and a new agent a moment later."""
    stage.agent.stop(signal.SIGKILL)
    time.sleep(0.3)
    stage.agent.start()


def stopped(stage):
    """SIGSTOP: it is there, and does nothing."""
    stage.agent.send(signal.SIGSTOP)
    time.sleep(LASTS_S)
    stage.agent.send(signal.SIGCONT)


def no_space(stage):
    """ENOSPC from the file system itself: it is made as small as what is in it."""
    with stage.shrunken_disk():
        time.sleep(LASTS_S)


def io_errors(stage):
    """EIO from every call that writes or syncs a file, in the agent and in its store worker."""
    with failing(stage, WRITES, "EIO"):
        time.sleep(LASTS_S)


def no_descriptors(stage):
    """EMFILE: the limit comes down to what is open, and a crowd wants to connect."""
    pid = stage.agent.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir(f"/proc/{pid}/fd")))  # noqa: PTH208 - numbers, no paths
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 2, hard))
    try:
        with crowd(stage.agent.http_port, 64):
            time.sleep(LASTS_S)
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def an_hour_later(stage):
    """The clock steps forward, and stays there."""
    stage.step_clock(HOUR_S)
    time.sleep(LASTS_S)


def an_hour_earlier(stage):
    """The clock steps back, and stays there."""
    stage.step_clock(-HOUR_S)
    time.sleep(LASTS_S)


FAULTS = {
    "kill -9": killed,
    "SIGSTOP": stopped,
    "ENOSPC": no_space,
    "EIO": io_errors,
    "EMFILE": no_descriptors,
    "clock +1 h": an_hour_later,
    "clock -1 h": an_hour_earlier,
}


@contextmanager
def failing(stage, calls, error):
    """A debugger answers in the kernel's place, until it lets go."""
    agent = psutil.Process(stage.agent.process.pid)
    pids = [agent.pid, *(child.pid for child in agent.children(recursive=True))]
    those = [word for pid in pids for word in ("-p", str(pid))]
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}"]
    tracer = subprocess.Popen(
        [*command, "-e", f"inject={calls}:error={error}", *those], stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        tracer.terminate()
        tracer.wait(10)


@contextmanager
def crowd(port, number):
    """Connections that say nothing."""
    made = []
    for _ in range(number):
        link = socket.socket()
        link.setblocking(False)
        with suppress(OSError):
            link.connect(("127.0.0.1", port))
        made.append(link)
    try:
        yield
    finally:
        for link in made:
            link.close()


class Stage:
    """An agent on a small disk of its own, under a clock that can be turned."""

    def __init__(self, agent, directory):
        self.agent, self.directory = agent, directory
        self.clock = directory / "clock"
        self.step_clock(0)
        agent.state.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(agent.state)]
        self.has_disk = (
            not os.geteuid()
            and not subprocess.run(mount, check=False, capture_output=True).returncode
        )
        library = directory / "stepped_clock.so"
        compiling = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(CLOCK)]
        subprocess.run(compiling, check=True)
        agent.further = {"LD_PRELOAD": str(library), "QMON_TEST_CLOCK": str(self.clock)}

    def step_clock(self, seconds):
        """The library has the file in its memory, so it is written in place."""
        with self.clock.open("r+b" if self.clock.exists() else "w+b") as file:
            file.write((seconds * 1_000_000_000).to_bytes(8, "little", signed=True))

    def make_token(self):
        self.token = self.agent.ask("token", "create", "--scope", "ingest")["token"]

    def books(self):
        """What the agent says became of everything, well or not."""
        return json.loads(self.agent.command("status", "--json").stdout)["conservation"]

    @contextmanager
    def shrunken_disk(self):
        used = psutil.disk_usage(str(self.agent.state)).used
        self._resize(f"{used // 1024 + 64}k")
        try:
            yield
        finally:
            self._resize(DISK)

    def _resize(self, size):
        command = ["mount", "-o", f"remount,size={size}", str(self.agent.state)]
        subprocess.run(command, check=True, capture_output=True)

    def close(self):
        self.agent.stop(signal.SIGKILL)
        if self.has_disk:
            subprocess.run(["umount", "-l", str(self.agent.state)], check=True)
