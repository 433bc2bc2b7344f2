"""Escalation: who is told next while nobody takes an incident on."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from .handling import Handling
from .rotations import DutySchedule, on_call_by


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Wait, then tell: receivers by name, and whoever is on call by schedules."""

    wait_ns: int = 0
    receivers: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """Steps in turn, all of them `repeats` times more; then it is up to nobody."""

    name: str
    steps: tuple[Step, ...]
    repeats: int = 0


class Climb(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far an incident has come: steps that were taken, and since when the next one waits."""

    taken: int = 0
    since: int = 0


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One step that was taken: whom it tells."""

    number: int
    receivers: tuple[str, ...]
    people: tuple[str, ...]


def climb(
    at: Climb,
    now: int,
    *,
    ladder: Ladder,
    handling: Handling,
    schedules: Mapping[str, DutySchedule],
    resolved: bool = False,
) -> tuple[Climb, tuple[Call, ...]]:
    """All steps that are due; an incident that is over, acknowledged or put off has none.

    While it is put off, or taken on for a time, the wait begins anew.
    """
    if resolved or not ladder.steps:
        return at, ()
    if handling.is_quiet(now):
        return msgspec.structs.replace(at, since=now), ()
    calls = []
    while (due := next_step(at, ladder)) is not None and due <= now:
        step = ladder.steps[at.taken % len(ladder.steps)]
        at = Climb(taken=at.taken + 1, since=due)
        people = on_call_by(step.schedules, schedules, now)
        calls.append(Call(number=at.taken, receivers=step.receivers, people=people))
    return at, tuple(calls)


def next_step(at: Climb, ladder: Ladder) -> int | None:
    """When the next step is due; `None` at the top."""
    if at.taken >= len(ladder.steps) * (1 + ladder.repeats):
        return None
    return at.since + ladder.steps[at.taken % len(ladder.steps)].wait_ns
