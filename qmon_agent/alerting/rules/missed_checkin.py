"""A scheduled job that does not run when it should, runs too long, or fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.checkins import (
    STATUSES,
    TROUBLES,
    Job,
    Plan,
    Told,
    describe,
    expect,
    hear,
    pass_time,
    wake_at,
)
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError, nearest_to
from qmon_agent.domain.schedules import is_known_zone
from qmon_sdk.protocol.schedules import ScheduleError, parse_schedule
from qmon_sdk.protocol.signals import CheckIn

from . import About, Fact, Found, Judgement
from ._series import series

USUAL = "production"  # the environment of a program that names none
PLANNING = {"schedule", "margin_s", "max_runtime_s"}  # what a check-in may say of its job
SOON_NS = SECOND
"""What comes in one go is heard to its end before anything is missed."""


class MissedCheckinRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached while a run is missed, late, too long or failed, until one ends well."""

    system: str = ""
    """The service whose jobs are meant; empty means all."""
    monitor: str = ""
    """The one job that is meant; empty means every job that checks in."""
    environment: str = ""
    """The environment it runs in; empty means each, one by one."""
    troubles: tuple[str, ...] = TROUBLES
    """What counts: missed, late, timeout, failed."""
    schedule: str = ""
    """When it is to run, instead of what it says; with a system and a monitor, from the start."""
    timezone: str = "UTC"
    """Whose clocks `schedule` is read by."""
    margin: str | float = ""
    """How late a run may begin, instead of what it says."""
    max_runtime: str | float = ""
    """How long a run may last, instead of what it says."""
    _plan: Plan = Plan()

    def __post_init__(self) -> None:
        for trouble in self.troubles:
            if trouble not in TROUBLES:
                known = nearest_to(trouble, TROUBLES) or TROUBLES
                raise ConfigError("troubles", f"no trouble {trouble!r}", known)
        if self.schedule:
            try:
                parse_schedule(self.schedule)
            except ScheduleError as error:
                raise ConfigError("schedule", str(error)) from None
        if not is_known_zone(self.timezone):
            raise ConfigError("timezone", f"no time zone {self.timezone!r}")
        self._plan = self._planned(Plan())

    def about(self) -> About:
        is_expected = self.system and self.monitor and self.schedule
        if not is_expected:
            return About(signals=("checkins",))
        place = self.environment or USUAL
        return About(
            signals=("checkins",), expected=(self._fact((self.system, place), self.monitor),)
        )

    def notice(self, batch: Observed) -> Iterator[Fact]:
        if self.system not in {"", batch.service}:
            return
        if self.environment not in {"", batch.environment}:
            return
        place = batch.service, batch.environment
        for checkin in batch.checkins:
            if self.monitor in {"", checkin.monitor} and checkin.status in STATUSES:
                yield self._fact(place, checkin.monitor, self._told(checkin))

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        before = msgspec.convert(memory, Job) if memory else expect(self._plan, now)
        try:
            job = self._after(before, fact, now)
            text = _named(job)
        except ScheduleError as error:
            return Judgement(verdict="unknown", memory=memory, reason="schedule", text=str(error))
        wake = wake_at(job)
        if wake is not None:
            wake = max(wake, now + SOON_NS)
        return Judgement(
            verdict="breach" if job.trouble in self.troubles else "clear",
            memory=msgspec.to_builtins(msgspec.structs.replace(job, wish=wake or 0)),
            wake=wake,
            text=text,
            found=_found(job) if job.behind != before.behind else (),
        )

    def _after(self, job: Job, fact: Fact | None, now: int) -> Job:
        if fact is not None:
            job = msgspec.structs.replace(job, labels=dict(fact.labels))
        if fact is None or not fact.detail:
            return pass_time(job, now)
        told = msgspec.convert(fact.detail, Told)
        return hear(job, msgspec.structs.replace(told, at=min(told.at, now)), now)

    def _told(self, checkin: CheckIn) -> Told:
        said = checkin.attributes
        return Told(
            status=checkin.status,
            at=checkin.time,
            run=said.get("checkin.id", ""),
            took=checkin.duration_ns,
            why=said.get("error.type", ""),
            is_brief=not PLANNING & said.keys(),
            plan=self._planned(
                Plan(
                    schedule=said.get("schedule", ""),
                    timezone=said.get("timezone", "UTC"),
                    margin_s=_seconds(said.get("margin_s")),
                    max_runtime_s=_seconds(said.get("max_runtime_s")) or 0.0,
                )
            ),
        )

    def _planned(self, plan: Plan) -> Plan:
        """What the job says, corrected by what the configuration says."""
        mine: dict[str, Any] = {}
        if self.schedule:
            mine = {"schedule": self.schedule, "timezone": self.timezone}
        if self.margin != "":
            mine["margin_s"] = parse_duration(self.margin) / SECOND
        if self.max_runtime != "":
            mine["max_runtime_s"] = parse_duration(self.max_runtime) / SECOND
        return msgspec.structs.replace(plan, **mine)

    def _fact(self, place: tuple[str, str], monitor: str, told: Told | None = None) -> Fact:
        service, environment = place
        said = {"monitor": monitor, "environment": environment}
        name, labels = series(service, {key: value for key, value in said.items() if value})
        detail = msgspec.to_builtins(told) if told else {}
        return Fact(instance=name, event_time=told.at if told else 0, labels=labels, detail=detail)


def _named(job: Job) -> str:
    """Its trouble in words that name it: two jobs of one service are two alerts."""
    said, monitor = describe(job), job.labels.get("monitor", "")
    return f"{monitor} {said}" if said and monitor else said


def _found(job: Job) -> tuple[Found, ...]:
    """The check-in that did not come, at the moment at which it was due."""
    name = msgspec.json.encode([job.labels, job.behind], order="sorted")
    key = sha256(name).hexdigest()[:32]
    attributes = {"checkin.id": key, "schedule": job.plan.schedule, "missed": str(job.missed)}
    if job.plan.timezone != "UTC":
        attributes["timezone"] = job.plan.timezone
    checkin = CheckIn(
        time=job.behind,
        monitor=job.labels.get("monitor", ""),
        status="missed",
        attributes=attributes,
    )
    service, environment = job.labels.get("service", ""), job.labels.get("environment", "")
    return (Found(key=key, service=service, environment=environment, checkin=checkin),)


def _seconds(text: str | None) -> float | None:
    """A number of seconds as it was told; senders of other makes may tell anything."""
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 < seconds < 10**9 else None
