"""Who is on call: rotations by the clocks of a place, and overrides above them.

A turn begins at the same time by the wall whatever the clocks do: one that starts on Mondays at
nine starts at nine also in the week in which an hour is left out or comes twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal

import msgspec

from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.schedules import zone_of

from .intervals import TimeInterval

Turn = Literal["hours", "days", "weeks"]
_STEP_NS = 900 * SECOND
_HOUR_NS = 3_600 * SECOND
_WEEK = 7


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """People in turn, of which each has `length` hours, days or weeks."""

    people: tuple[str, ...]
    starts: str
    """The day of the first turn: `2026-01-05`."""
    at: str = "00:00"
    """The time of day at which turns change."""
    turn: Turn = "weeks"
    length: int = 1
    zone: str = "UTC"
    only: tuple[TimeInterval, ...] = ()
    """When it counts at all, where it is not always: nights, weekends."""

    def on_call(self, now: int) -> str:
        """Who has the turn; empty before the first one, and where nobody has."""
        if self.only and not any(each.holds(now) for each in self.only):
            return ""
        turn = self._turn(now)
        return self.people[turn % len(self.people)] if self.people and turn >= 0 else ""

    def _turn(self, now: int) -> int:
        place = zone_of(self.zone)
        first, change = date.fromisoformat(self.starts), time.fromisoformat(self.at)
        if self.turn == "hours":
            # By real time: a turn of eight hours takes as long in the night of the change.
            return (now - _nanos(first, change, place)) // (self.length * _HOUR_NS)
        today = datetime.fromtimestamp(now // SECOND, place).date()
        # A time of day that is left out, or comes twice, is one moment: compare moments.
        if now < _nanos(today, change, place):
            today -= timedelta(days=1)
        days = self.length * (_WEEK if self.turn == "weeks" else 1)
        return (today - first).days // days


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in place of whoever had the turn, from start up to end; nanoseconds UTC."""

    person: str
    starts_at: int
    ends_at: int


class DutySchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Layers of rotations, of which later ones cover earlier ones, and overrides above all."""

    name: str
    layers: tuple[Rotation, ...] = ()
    overrides: tuple[Override, ...] = ()


def on_call(schedule: DutySchedule, now: int) -> str:
    """Who is on call at a moment; empty: nobody."""
    for override in reversed(schedule.overrides):
        if override.starts_at <= now < override.ends_at:
            return override.person
    for layer in reversed(schedule.layers):
        if person := layer.on_call(now):
            return person
    return ""


def on_call_by(
    names: Sequence[str], schedules: Mapping[str, DutySchedule], now: int
) -> tuple[str, ...]:
    """Who is on call by some schedules, each person once."""
    known = (on_call(schedules[name], now) for name in names if name in schedules)
    return tuple(dict.fromkeys(person for person in known if person))


def turns(schedule: DutySchedule, start: int, end: int) -> Iterator[tuple[int, str]]:
    """From when on who is on call, to the quarter of an hour; at the start in any case."""
    before: str | None = None
    for now in (start, *range(start - start % _STEP_NS + _STEP_NS, end, _STEP_NS)):
        person = on_call(schedule, now)
        if person != before:
            yield now, person
        before = person


def _nanos(day: date, at: time, place: tzinfo) -> int:
    """When a clock of the place shows this, for the first time; where it never does, just after."""
    wall = datetime.combine(day, at, tzinfo=place)
    return round(wall.astimezone(UTC).timestamp()) * SECOND
