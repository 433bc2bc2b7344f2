"""Whether a scheduled job does what it is to do: a pure machine from check-ins and time."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

from .clock import SECOND
from .durations import print_duration
from .schedules import next_run, period_of, wall_clock

Trouble = Literal["", "missed", "late", "timeout", "failed"]
TROUBLES: tuple[Trouble, ...] = ("missed", "late", "timeout", "failed")
STATUSES = frozenset({"in_progress", "ok", "error"})

EARLY_NS = 5 * SECOND
"""Clocks differ: a run that begins so much before its time is that run, not one in between."""
AWAY_NS = 5 * SECOND
"""Woken so much later than wished, or told so late: whoever was away may have more in the spool."""
GRACE_NS = 30 * SECOND
MARGIN_S = 60.0
MAX_RUNNING = 100
_MOST_MISSED = 1_000  # counted one by one


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a job said of itself; an empty schedule promises nothing."""

    schedule: str = ""
    timezone: str = "UTC"
    margin_s: float | None = None
    max_runtime_s: float = 0.0

    @property
    def period_s(self) -> float | None:
        """The seconds between two check-ins, where that is what was promised."""
        return period_of(self.schedule) if self.schedule else None

    @property
    def margin_ns(self) -> int:
        """How late a run may begin: a minute if nobody says, half an interval if that is less."""
        if self.margin_s is not None:
            return round(self.margin_s * SECOND)
        period = self.period_s
        return round(min(MARGIN_S, period / 2 if period else MARGIN_S) * SECOND)

    @property
    def longest_ns(self) -> int:
        """How long a run may last; 0 if nobody said."""
        return round(self.max_runtime_s * SECOND)

    def next(self, moment: int) -> int:
        """When the first run after a moment is due; raises ScheduleError."""
        return next_run(self.schedule, moment, self.timezone)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One check-in, by the clock of whoever checks in."""

    status: str
    at: int
    run: str = ""
    took: int = 0
    why: str = ""
    plan: Plan = Plan()
    is_brief: bool = False
    """Nothing was said of a plan, as by whoever only ends what somebody else began."""


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a job; zero times mean `not yet`."""

    plan: Plan = Plan()
    due: int = 0
    running: dict[str, int] = {}
    trouble: Trouble = ""
    why: str = ""
    missed: int = 0
    behind: int = 0  # when the run was due that was missed last
    labels: dict[str, str] = {}  # whose job it is
    wish: int = 0
    patience: int = 0  # nothing is missed before this moment


def expect(plan: Plan, now: int) -> Job:
    """A job that has never checked in and is to."""
    return Job(plan=plan, due=plan.next(now) if plan.schedule else 0)


def hear(job: Job, told: Told, now: int) -> Job:
    """What a check-in changes."""
    patience = now + GRACE_NS if now - told.at > AWAY_NS else 0
    before = _late(_overdue(job, told.at), told.at)
    is_known = told.is_brief and told.status != "in_progress" and told.run in job.running
    plan = job.plan if is_known else told.plan
    known = replace(before, plan=plan, patience=patience, wish=0)
    return _begun(known, told) if told.status == "in_progress" else _ended(known, told)


def pass_time(job: Job, now: int) -> Job:
    """What has become of it, although nothing was heard."""
    if job.wish and now - job.wish > AWAY_NS and not job.patience:
        return replace(job, patience=now + GRACE_NS)
    if now < job.patience:
        return job
    return _late(_overdue(replace(job, patience=0), now), now)


def wake_at(job: Job) -> int | None:
    """When time alone will have changed something."""
    moments = [job.due + job.plan.margin_ns] if job.due else []
    if job.plan.longest_ns:
        moments += [began + job.plan.longest_ns for began in job.running.values()]
    return max(min(moments), job.patience) if moments else None


def describe(job: Job) -> str:
    """Its trouble in words; empty if there is none."""
    due = wall_clock(job.behind, job.plan.timezone) if job.behind else ""
    return {
        "": "",
        "missed": f"missed: the run that was due {due} has not begun"
        + (f"; {job.missed} runs in a row" if job.missed > 1 else ""),
        "late": f"late: the run that was due {due} has begun after its margin",
        "timeout": f"timeout: a run goes on for more than {print_duration(job.plan.longest_ns)}",
        "failed": f"failed: {job.why or 'it said so'}",
    }[job.trouble]


def _begun(job: Job, told: Told) -> Job:
    running = dict(list(job.running.items())[-MAX_RUNNING + 1 :]) | {told.run: told.at}
    trouble = job.trouble
    if trouble == "missed":  # or it was on time, and only heard of too late
        trouble = "late" if told.at >= job.behind + job.plan.margin_ns else ""
    return _expecting(replace(job, running=running, trouble=trouble), told.at)


def _ended(job: Job, told: Told) -> Job:
    began = job.running.get(told.run, told.at - told.took)
    left = {run: since for run, since in job.running.items() if run != told.run}
    trouble: Trouble = "failed" if told.status == "error" else ""
    ended = replace(job, running=left, trouble=trouble, why=told.why, missed=0)
    return _expecting(ended, told.at if job.plan.period_s else began)


def _expecting(job: Job, since: int) -> Job:
    """Wait for the run after the one that belongs to this moment; never for an earlier one."""
    if not job.plan.schedule:
        return replace(job, due=0)
    early = 0 if job.plan.period_s else EARLY_NS
    return replace(job, due=max(job.due, job.plan.next(since + early)))


def _overdue(job: Job, now: int) -> Job:
    longest = job.plan.longest_ns
    left = {run: began for run, began in job.running.items() if now < began + longest}
    if not longest or len(left) == len(job.running):
        return job
    return replace(job, running=left, trouble="timeout")


def _late(job: Job, now: int) -> Job:
    """Count the runs that did not begin; while one is within its time, none is missed."""
    if not job.due or now < job.due + job.plan.margin_ns:
        return job
    last, due, count = job.due, job.plan.next(job.due), 1
    while now >= due + job.plan.margin_ns:
        last, due, count = due, job.plan.next(due if count < _MOST_MISSED else now), count + 1
    if job.running and job.plan.longest_ns:
        return replace(job, due=due)
    return replace(job, due=due, trouble="missed", missed=job.missed + count, behind=last)
