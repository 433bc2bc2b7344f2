"""Others that watch a host: what they tell of it by default, and what a second of that costs.

Each gives the names of its series, its share of a core and its resident memory, with all that it
started; or nothing where it is not installed.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

from .daemons import OPEN, end, spent
from .ports import free_port

SECONDS = 10
SETTLE_S = 6
READY_S = 20
# What Debian's collectd looks at by default, told to files.
LOOKS_AT = (
    "battery", "cpu", "df", "disk", "entropy", "interface", "irq", "load", "memory", "processes",
    "swap", "users",
)  # fmt: skip
COLLECTD = """
BaseDir "{folder}"
Interval 1
LoadPlugin csv
<Plugin csv>
  DataDir "{folder}/csv"
</Plugin>
{looks_at}
"""


def node_exporter():
    """What node_exporter shows with its defaults, and the processor time of a scrape."""
    with _peer("prometheus-node-exporter", "--web.listen-address=127.0.0.1:{port}") as peer:
        return peer and _scraped(peer, "/metrics")


def netdata():
    """What netdata shows with its defaults, and the processor time of a second."""
    folder = Path(tempfile.mkdtemp(prefix="qmon-bench-"))
    options = ("-D", "-i", "127.0.0.1", "-p", "{port}", "-u", "root", "-P", str(folder / "pid"))
    try:
        with _peer("netdata", *options) as peer:
            return peer and _scraped(peer, "/api/v1/allmetrics?format=prometheus", scrape=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _scraped(peer, path, *, scrape=True):
    process, port = peer
    url = f"http://127.0.0.1:{port}{path}"
    deadline = time.monotonic() + READY_S
    while True:
        try:
            _get(url)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    share, resident = _cost(process, lambda: _get(url) if scrape else None)
    lines = _get(url).decode().splitlines()
    names = [re.split(r"[{ ]", line, maxsplit=1)[0] for line in lines if line and line[0] != "#"]
    return names, share, resident


def _cost(process, look):
    """Share of a core while somebody looks each second, and resident memory."""
    time.sleep(SETTLE_S)
    before, begun = spent(_family(process)), time.perf_counter()
    for _ in range(SECONDS):
        look()
        time.sleep(1)
    share = (spent(_family(process)) - before) / (time.perf_counter() - begun)
    return share, _resident(process)


def _get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def _resident(process):
    return sum(each.memory_info().rss for each in _family(process))


def _family(process):
    return [process, *process.children(recursive=True)]


@contextlib.contextmanager
def _peer(program, *options):
    path = shutil.which(program)
    if path is None:
        yield None
        return
    port = free_port()
    command = [path, *(option.format(port=port) for option in options)]
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process, port
    finally:
        end(process)


def collectd():
    """What collectd writes of what Debian has switched on, each second."""
    folder = Path(tempfile.mkdtemp(prefix="qmon-bench-", dir=OPEN))
    looks_at = "\n".join(f"LoadPlugin {name}" for name in LOOKS_AT)
    (folder / "collectd.conf").write_text(COLLECTD.format(folder=folder, looks_at=looks_at))
    options = ("-f", "-C", str(folder / "collectd.conf"), "-P", str(folder / "pid"))
    try:
        with _peer("collectd", *options) as peer:
            if not peer:
                return None
            share, resident = _cost(peer[0], lambda: None)
            return [*_columns(folder / "csv")], share, resident
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _columns(folder):
    """A series for each column of each file, but for the time."""
    for file in folder.rglob("*-20??-??-??"):
        columns = file.read_text().partition("\n")[0].split(",")[1:]
        yield from (f"collectd_{file.parent.name}" for _ in columns)


WATCHERS = {
    "prometheus-node-exporter": node_exporter,
    "netdata": netdata,
    "collectd": collectd,
}
