"""Watching the host, beside node_exporter and netdata where they are installed: series and cost."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

import psutil

from qmon_agent.domain.errors import NotHereError
from qmon_agent.monitoring.samplers import SAMPLERS

from .daemons import HOW
from .figures import Figure, progress
from .places import Agent, place

ROUNDS = 3
SLEEPERS = 200
SECONDS = 10
OFF = "[samplers]\nenabled = false\n"
SETTLE_S = 6
READY_S = 20
# What a series is about, by the beginning of its name: ours, node_exporter's, netdata's.
AREAS = {
    "processors": (
        r"system\.cpu|"
        r"system\.linux\.(cpu|context|interr|softirq)|"
        r"node_(cpu|context|intr|softirq|forks|load)|"
        r"netdata_(cpu|system_(cpu|ctxt|intr|load|softirq|forks|processes|active))"
    ),
    "memory and paging": (
        r"system\.(memory|paging)|"
        r"system\.linux\.(memory|vmstat|paging)|"
        r"node_(memory|vmstat)|"
        r"netdata_(mem|system_(ram|swap|pg))"
    ),
    "pressure": r"system\.linux\.pressure|node_pressure|netdata_system_\w*pressure",
    "disks and file systems": (
        r"system\.(disk|filesystem)|"
        r"node_(disk|filesystem)|"
        r"netdata_(disk|system_io)"
    ),
    "network": (
        r"system\.network|"
        r"system\.linux\.(network|tcp|udp|netstat|sockets|softnet|conntrack)|"
        r"node_(network|netstat|sockstat|softnet|nf_|arp|udp)|"
        r"netdata_(net|ip|ipv4|ipv6|sockstat|netfilter|system_(net|ip|softnet))"
    ),
    "processes": (
        r"process\.|"
        r"system\.process|"
        r"system\.linux\.(process|threads)|"
        r"node_(procs|processes)|"
        r"netdata_(apps|users|usergroups)"
    ),
    "groups, services, containers": (
        r"container|"
        r"systemd|"
        r"system\.linux\.cgroup|"
        r"node_(systemd|cgroups)|"
        r"netdata_(cgroup|services)"
    ),
    "clock": r"system\.(clock|uptime)|node_(timex|time_|boot)|netdata_system_(uptime|clock)",
    "sensors and graphics": (
        r"hw\.|"
        r"system\.cpu\.frequency|"
        r"node_(hwmon|thermal|cooling|drm)|"
        r"netdata_(sensors|nvidia)"
    ),
    "files, entropy, users": (
        r"system\.(users|linux\.(files|inodes|entropy|aio))|"
        r"node_(filefd|entropy)|"
        r"netdata_system_(entropy|file|ipc)"
    ),
    "of the watcher itself": (
        r"go_|"
        r"promhttp|"
        r"node_(scrape|exporter)|"
        r"process_|"
        r"netdata_(netdata|statsd)"
    ),
}  # fmt: skip


def ours():
    """Every series the samplers tell here, in two looks."""
    names = []
    for name in SAMPLERS.names():
        sampler, seen = SAMPLERS.build(name, {}), set()
        with contextlib.suppress(NotHereError):
            for _ in range(2):
                points = sampler.sample(time.time_ns())
                seen |= {(each.metric, *sorted(each.attributes.items())) for each in points}
        names += [series[0] for series in seen]
    return names


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
    time.sleep(SETTLE_S)
    before, begun = _spent(process), time.perf_counter()
    for _ in range(SECONDS):
        if scrape:
            _get(url)
        time.sleep(1)
    share = (_spent(process) - before) / (time.perf_counter() - begun)
    lines = _get(url).decode().splitlines()
    names = [re.split(r"[{ ]", line, maxsplit=1)[0] for line in lines if line and line[0] != "#"]
    return names, share, _resident(process)


def _get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def _spent(process):
    """Of a process and all that it started, such as netdata's plug-ins."""
    return sum(sum(each.cpu_times()[:2]) for each in _family(process))


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
    port = _free_port()
    command = [path, *(option.format(port=port) for option in options)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    family = psutil.Process(process.pid)
    try:
        yield family, port
    finally:
        for each in _family(family)[::-1]:
            with contextlib.suppress(psutil.Error):
                each.terminate()
        process.wait(READY_S)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def _crowd():
    """As many processes as a usual host has, asleep."""
    sleepers = [subprocess.Popen(["sleep", "300"]) for _ in range(SLEEPERS)]
    try:
        yield
    finally:
        for sleeper in sleepers:
            sleeper.terminate()
        for sleeper in sleepers:
            sleeper.wait()


def _agent(text):
    """Share of a core and resident memory of the agent's main process, idle."""
    with place() as state:
        (state / "qmon.toml").write_text(text)
        agent = Agent(state)
        try:
            main = psutil.Process(agent.pid)
            time.sleep(SETTLE_S)
            before, begun = sum(main.cpu_times()[:2]), time.perf_counter()
            time.sleep(SECONDS)
            share = (sum(main.cpu_times()[:2]) - before) / (time.perf_counter() - begun)
            return share, main.memory_info().rss
        finally:
            agent.stop()


def watching(*, quick=False):
    """Rows: the series by area, then what they cost."""
    rounds = 1 if quick else ROUNDS
    with _crowd():
        with_samplers = _several(rounds, "qmon", lambda: _agent(""))
        without = _several(rounds, "qmon, samplers off", lambda: _agent(OFF))
        told = ours()
        peers = {name: _several(rounds, name, looked) for name, looked in PEERS.items()}
    found = {name: [run for run in runs if run] for name, runs in peers.items() if any(runs)}
    names = {name: runs[-1][0] for name, runs in found.items()}
    return [*_series(told, names), *_costs(with_samplers, without, found)]


def _several(rounds, name, looked):
    """As often as it takes for a median; says how far it is."""
    runs = []
    for _ in range(rounds):
        runs.append(looked())
        if runs[-1] is None:
            progress(f"host: {name} is left out, it is not installed ({HOW[name]})")
            break
        *_, share, resident = runs[-1]
        progress(f"host: {name} {share * 100:.2f} % of a core, {resident / 1e6:.0f} MB")
    return runs


def _series(told, names):
    everybody = {"qmon": _areas(told), **{name: _areas(found) for name, found in names.items()}}
    yield _counted("series", {name: sum(areas.values()) for name, areas in everybody.items()})
    for area in (*AREAS, "other"):
        yield _counted(f"series: {area}", {name: it[area] for name, it in everybody.items()})


def _counted(what, numbers):
    own = [float(numbers.pop("qmon"))]
    beside = {name: [float(n)] for name, n in numbers.items()}
    return Figure(what=what, ours=own, beside=beside, compared=False)


def _costs(with_samplers, without, found):
    """Of everybody by the second and in memory; of ours beside it what is not the samplers'."""
    beside = {name: [run[1] * 100 for run in runs] for name, runs in found.items()}
    whole = [run[0] * 100 for run in with_samplers]
    rest = statistics.median(run[0] * 100 for run in without)
    sizes = {name: [run[2] / 1e6 for run in runs] for name, runs in found.items()}
    what = f"share of a core, every second, {SLEEPERS} more processes asleep"
    return [
        Figure(what=f"{what}: what watching adds", ours=[one - rest for one in whole], unit="%",
               digits=2, wanted=("<=", 0.5), beside=beside),
        Figure(what=f"{what}: the whole of the main process", ours=whole, unit="%", digits=2),
        Figure(what="resident memory, main process", ours=[run[1] / 1e6 for run in with_samplers],
               unit="MB", beside=sizes),
    ]  # fmt: skip


def _areas(names):
    found = Counter()
    for name in names:
        fits = (area for area, begins in AREAS.items() if re.match(begins, name))
        found[next(fits, "other")] += 1
    return found


PEERS = {"prometheus-node-exporter": node_exporter, "netdata": netdata}
CASES = {"host": watching}
