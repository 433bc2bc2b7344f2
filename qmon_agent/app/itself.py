"""The agent as one of the services it watches: its vitals, on `/metrics` and in the tables."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from qmon_agent.app.health import Health
from qmon_agent.app.host import AGENT, OwnProcess
from qmon_agent.app.parts import Parts, Plan
from qmon_agent.app.status import StatusReport
from qmon_agent.domain.ticks import until_tick
from qmon_agent.vitals import Labels, Sample
from qmon_sdk.protocol.signals import Point

_PREFIX = "qmon.agent."
_ACCOUNTS = ("captured", "stored", "dropped", "pending")
Gauges = dict[Labels, float]


class Itself:
    """Every few seconds: the books and lags as gauges, and what has changed as points."""

    def __init__(self, plan: Plan, parts: Parts, *, report: StatusReport, health: Health) -> None:
        """On the running loop."""
        self.interval_s = plan.settings.samplers.agent_interval_s
        self._clock = plan.clock
        self._vitals = parts.vitals
        self._report = report
        self._health = health
        self._process = OwnProcess(parts.taking.intake, clock=plan.clock, service=AGENT)
        self._told: dict[Sample, int] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._write_down(await self._report.make())
            if points := [*self._points(self._clock.now())]:
                self._process.submit(points)
            await asyncio.sleep(until_tick(asyncio.get_running_loop().time(), self.interval_s))

    def _write_down(self, status: Mapping[str, Any]) -> None:
        """What is worked out, beside what is counted where it happens."""
        books = status["conservation"]
        gauges: dict[str, Gauges] = {
            "signals": {_of(account=name): books[name] for name in _ACCOUNTS},
            "signals_add_up": {(): books["adds_up"]},
            "signals_dropped_by_reason": {
                _of(kind=kind, reason=reason): n
                for (kind, _, reason), n in _parted(books["dropped_by_reason"])
            },
            "rules_lag": {(): status["rules"]["lag"]},
            "store_lag": {(): status["store"]["lag"]},
            **_of_disk(status["disk"]),
            "sink_lag": {_of(sink=name): told["lag"] for name, told in status["sinks"].items()},
            "processor_held": {
                _of(processor=name): n for name, n in books["held_by_processors"].items()
            },
            "loop_hung": {_of(loop=name): 1 for name in self._health.hung()},
            "problems": {(): len(status["problems"])},
            "ready": {(): self._health.is_ready},
            "uptime_seconds": {(): status["uptime_s"]},
            "config_generation": {(): status["config"]["generation"]},
        }
        for name, values in gauges.items():
            self._vitals.gauges_anew(name, values)

    def _points(self, now: int) -> Iterator[Point]:
        """How counters have grown, and every gauge as it is."""
        counted = self._vitals.counters()
        for sample, value in counted.items():
            if growth := value - self._told.get(sample, 0):
                yield _point(sample, growth, now=now, kind="counter")
        self._told = dict(counted)
        for sample, gauge in self._vitals.gauges().items():
            yield _point(sample, gauge, now=now, kind="gauge")


def _of_disk(disk: Mapping[str, Any]) -> dict[str, Gauges]:
    """What is unknown has no value, so that rules know it, too."""
    used = {_of(part=part): disk[f"{part}_bytes"] for part in ("telemetry", "journal")}
    days = disk["filling"]["days"]
    return {
        "disk_used_bytes": used,
        "disk_budget_share": {} if disk["share"] is None else {(): disk["share"]},
        "disk_full_in_days": {} if days is None else {(): days},
    }


def _point(sample: Sample, value: float, *, now: int, kind: str) -> Point:
    name, labels = sample
    return Point(
        time=now, metric=f"{_PREFIX}{name}", kind=kind, value=float(value), attributes=dict(labels)
    )


def _of(**labels: str) -> Labels:
    return tuple(sorted(labels.items()))


def _parted(counts: Mapping[str, int]) -> Iterator[tuple[tuple[str, str, str], int]]:
    return ((name.partition("/"), n) for name, n in counts.items())
