"""The daemons a load is sent to: ours, and those of others that are installed here.

A daemon is made with the ways that it is to take, is started by entering it, and tells

- `address(way)`: the options for the load that say where to send,
- `settled(way, told)`: waits until all that was sent is kept, and fails where it is not,
- `family()`: its processes, the one first whose time counts.

`HOW` says of each how it is had; `which(name)` is nothing where it is not installed.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

from bench.ports import free_port

READY_S = 30
# Not where nox has its own: collectd writes nothing below a folder whose name begins with a dot.
OPEN = "/var/tmp"
PACKAGES = {  # of Debian, by the program's name
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "victoria-metrics": "victoria-metrics",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "netdata": "netdata",
    "collectd": "collectd-core",
}
NODE_MODULES = "QMON_BENCH_NODE_MODULES"
HOW = {name: f"apt-get install {package}" for name, package in PACKAGES.items()} | {
    "statsd": f"npm install statsd, with {NODE_MODULES} naming its node_modules"
}


class Daemon:
    """A process with a folder of its own; what is particular about it is in its subclass."""

    name = ""
    program = ""

    def __init__(self, *ways: str, **options) -> None:
        self.ways, self.options = ways, options
        self.process = None

    @classmethod
    def is_here(cls) -> bool:
        return shutil.which(cls.program) is not None

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="qmon-bench-", dir=OPEN))
        self.port = free_port()
        command = [str(part) for part in self.command()]
        with (self.folder / "said").open("wb") as said:
            self.process = psutil.Popen(command, stdout=said, stderr=said, cwd=self.folder)
        try:
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        end(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self) -> list[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        return True

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "said").read_text(errors="replace")
                raise RuntimeError(f"{self.name} does not start: {said[-500:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            return self.ready()
        except OSError:
            return False

    def family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def get(self, path) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def number(self, path, name) -> float:
        """Add up the samples of a name that begins so, on a page meant for Prometheus."""
        lines = self.get(path).splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def here() -> list[str]:
    """The daemons that are installed, with their versions where Debian knows them."""
    asked = ("dpkg-query", "-W", "-f", "${Version}")
    found = []
    for program, package in PACKAGES.items():
        if shutil.which(program):
            told = subprocess.run([*asked, package], capture_output=True, text=True, check=False)
            found.append(f"{program} {told.stdout.partition('+')[0]}".strip())
    return found


def reached(read, wanted, *, patience_s=60, pause_s=0.3):
    """Wait until `read()` is `wanted`; more than that, or less for ever, is a failure."""
    deadline = time.monotonic() + patience_s
    while (found := read()) < wanted and time.monotonic() < deadline:
        time.sleep(pause_s)
    if found != wanted:
        raise AssertionError(f"sent {wanted:,}, found {found:,}")


def spent(processes) -> float:
    """Seconds of processor time, threads and children that have ended included."""
    return sum(sum(each.cpu_times()[:4]) for each in processes if each.is_running())


def end(process) -> None:
    """End it and all that it started."""
    family = [process, *process.children(recursive=True)]
    for each in family[::-1]:
        with contextlib.suppress(psutil.Error):
            each.terminate()
    try:
        process.wait(READY_S)
    except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
        process.kill()
        process.wait(READY_S)
