"""Watching the host, beside node_exporter and netdata where they are installed: series and cost."""

from __future__ import annotations

import contextlib
import re
import statistics
import subprocess
import time
from collections import Counter

import psutil

from qmon_agent.domain.errors import NotHereError
from qmon_agent.monitoring.samplers import SAMPLERS

from .daemons import HOW
from .figures import Figure, progress
from .places import Agent, place
from .watchers import WATCHERS

ROUNDS = 3
SLEEPERS = 200
SECONDS = 10
OFF = "[samplers]\nenabled = false\n"
SETTLE_S = 6
# What a series is about, by the beginning of its name, ours and everybody else's.
AREAS = {
    "processors": (
        r"system\.cpu|"
        r"system\.linux\.(cpu|context|interr|softirq)|"
        r"node_(cpu|context|intr|softirq|forks|load)|"
        r"collectd_(cpu|load|irq)|"
        r"netdata_(cpu|system_(cpu|ctxt|intr|load|softirq|forks|processes|active))"
    ),
    "memory and paging": (
        r"system\.(memory|paging)|"
        r"system\.linux\.(memory|vmstat|paging)|"
        r"node_(memory|vmstat)|"
        r"collectd_(memory|swap)|"
        r"netdata_(mem|system_(ram|swap|pg))"
    ),
    "pressure": r"system\.linux\.pressure|node_pressure|netdata_system_\w*pressure",
    "disks and file systems": (
        r"system\.(disk|filesystem)|"
        r"node_(disk|filesystem)|"
        r"collectd_(df|disk)|"
        r"netdata_(disk|system_io)"
    ),
    "network": (
        r"system\.network|"
        r"system\.linux\.(network|tcp|udp|netstat|sockets|softnet|conntrack)|"
        r"node_(network|netstat|sockstat|softnet|nf_|arp|udp)|"
        r"collectd_interface|"
        r"netdata_(net|ip|ipv4|ipv6|sockstat|netfilter|system_(net|ip|softnet))"
    ),
    "processes": (
        r"process\.|"
        r"system\.process|"
        r"system\.linux\.(process|threads)|"
        r"node_(procs|processes)|"
        r"collectd_processes|"
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
        r"collectd_(entropy|users)|"
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
            agent.wait_for_store()
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
        peers = {name: _several(rounds, name, looked) for name, looked in WATCHERS.items()}
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


CASES = {"host": watching}
