"""What a core of the agent's main process takes in by each protocol, beside the daemons that do.

The load is made beforehand, in another process, and sent through the agent's real sockets; what
counts is the processor time of the process, from the first byte until everything is in the tables
and the rules have seen it. A run in which what was sent is not what was stored fails.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial

from .daemons import HOW, spent
from .daemons.collectd import Collectd
from .daemons.netdata import Netdata
from .daemons.prometheus import Prometheus
from .daemons.qmon import Qmon
from .daemons.statsd import Statsd
from .daemons.victoria import Victoria
from .figures import Figure, progress
from .ports import free_port

ROUNDS = 3
QUICK = 4  # a quick run sends this part of the load, once
LEAST_S = 0.01  # processor time is told in hundredths
COUNTED = (
    "A core is a second of processor time, from the first byte until all is kept and judged: "
    "of the agent that of its main process, then that of the store worker with it; "
    "of the others that of all they are."
)


@dataclass(frozen=True)
class Way:
    """A load, who takes it, and how much of it was wanted."""

    what: str
    load: str
    options: dict
    wanted: float | None = None
    peers: tuple = ()
    scaled: tuple[str, ...] = ("count",)  # options that a quick run makes smaller


WAYS = {
    "otlp": Way("OTLP spans, protobuf, 512 a request", "otlp", {"count": 300_000}, 60_000),
    "statsd": Way(
        "StatsD lines, 20 a datagram", "statsd", {"count": 2_000_000, "per": 20}, 200_000,
        (Netdata, Collectd, Statsd),
    ),
    "lines": Way(
        "StatsD lines, each a datagram", "statsd", {"count": 400_000, "per": 1}, 200_000,
        (Netdata, Collectd, Statsd),
    ),
    "sentry": Way("Sentry errors of ten frames", "sentry", {"count": 3_000}, 2_000),
    "remote_write": Way(
        "remote write 1.0 samples, 2,000 a message", "remote_write",
        {"series": 20_000, "rounds": 12}, None, (Prometheus, Victoria), ("series",),
    ),
    "exposition": Way(
        "scraped samples, 10,000 a target, each second", "exposition",
        {"samples": 10_000, "seconds": 8}, None, (Prometheus, Victoria), (),
    ),
}  # fmt: skip


def measured(name, *, quick=False):
    """Rows of one way: ours alone, ours with the store worker, resident memory."""
    way, rounds, part = WAYS[name], 1 if quick else ROUNDS, QUICK if quick else 1
    options = {**way.options, **{key: way.options[key] // part for key in way.scaled}}
    missing = [peer for peer in way.peers if not peer.is_here()]
    for peer in missing:
        progress(f"{name}: {peer.name} is left out, it is not installed ({HOW[peer.name]})")
    taken = {}
    for number in range(rounds):
        for kind in (Qmon, *(peer for peer in way.peers if peer not in missing)):
            found = _once(kind, way, options)
            taken.setdefault(kind.name, []).append(found)
            progress(f"{name} {number + 1}/{rounds}: {_said(kind.name, found)}")
    return _figures(way, taken)


def _said(name, found):
    main, whole, memory, told = found
    return (
        f"{name} {main:,.0f} a second and core, {whole:,.0f} with its children, "
        f"{memory:.0f} MB; sent {told['sent']:,} in {told['seconds']:.1f} s"
    )


def _once(kind, way, options):
    """Send one load to one daemon: rate of its first process and of all, MB, what was sent."""
    with contextlib.ExitStack() as stack:
        if way.load == "exposition":
            port = free_port()
            load = stack.enter_context(loading(way.load, {**options, "port": port}))
            target = f"http://127.0.0.1:{port}/metrics"
            daemon = stack.enter_context(kind(way.load, target=target))
        else:
            daemon = stack.enter_context(kind(way.load))
            address = daemon.address(way.load)
            load = stack.enter_context(loading(way.load, {**options, **address}))
        family = daemon.family()
        time.sleep(1)  # what is opened behind the ready line is over
        before = [spent([each]) for each in family]
        told = load.go()
        daemon.settled(way.load, told)
        took = [spent([each]) - was for each, was in zip(family, before, strict=True)]
        memory = family[0].memory_info().rss / 1e6
    main, whole = (max(one, LEAST_S) for one in (took[0], sum(took)))
    return told["sent"] / main, told["sent"] / whole, memory, told


def _figures(way, taken):
    columns = {name: list(zip(*runs, strict=True)) for name, runs in taken.items()}
    (main, whole, memory, _), peers = columns.pop("qmon"), columns
    wanted = (">=", way.wanted) if way.wanted else None
    return [
        Figure(
            what=f"{way.what}: a second and core", ours=[*main], wanted=wanted,
            beside={name: [*theirs[1]] for name, theirs in peers.items()}, note=COUNTED,
        ),
        Figure(
            what=f"{way.what}: with the store worker", ours=[*whole],
            beside={name: [*theirs[1]] for name, theirs in peers.items()},
        ),
        Figure(
            what=f"{way.what}: resident", ours=[*memory], unit="MB",
            beside={name: [*theirs[2]] for name, theirs in peers.items()},
        ),
    ]  # fmt: skip


CASES = {name: partial(measured, name) for name in WAYS}


class Loading:
    """A load in its process, made and waiting."""

    def __init__(self, process):
        self.process = process

    def go(self, patience_s=600):
        """Send it; gives what it tells."""
        told, _ = self.process.communicate("go\n", timeout=patience_s)
        if self.process.returncode:
            raise RuntimeError("the load could not be sent")
        return json.loads(told.splitlines()[-1])


@contextlib.contextmanager
def loading(name, options):
    """Make a load in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.loads", name, json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the load {name} could not be made")
        yield Loading(process)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
