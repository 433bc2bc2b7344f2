"""The `[oncall]` section: whose channels are told when a schedule is named."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date, time
from typing import Any, TypeVar

import msgspec

from qmon_agent.domain.alarms.calling import Endpoint
from qmon_agent.domain.alarms.interval_text import parse_zone
from qmon_agent.domain.alarms.intervals import Intervals
from qmon_agent.domain.alarms.rotations import DutySchedule, Override, Rotation, on_call_by
from qmon_agent.domain.errors import ConfigError, nearest_to
from qmon_agent.domain.schedules import moment_of
from qmon_agent.settings.oncall import DutyOptions, OncallOptions, OverrideOptions, RotationOptions
from qmon_sdk.protocol.schedules import ScheduleError

T = TypeVar("T")


class Duty(msgspec.Struct, frozen=True, kw_only=True):
    """Who can be called how, and whose turn it is."""

    people: Mapping[str, tuple[str, ...]] = {}
    schedules: Mapping[str, DutySchedule] = {}

    def channels(self, schedules: Collection[str], now: int) -> tuple[str, ...]:
        """Those of whoever is on call by some schedules."""
        people = on_call_by(tuple(schedules), self.schedules, now)
        told = (channel for person in people for channel in self.people.get(person, ()))
        return tuple(dict.fromkeys(told))


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a receiver: channels, or schedules, and after how long nobody has reacted."""

    channels: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()
    after_ns: int = 0
    send_resolved: bool = True
    rounds: int = 0
    round_ns: int = 0
    """How often, and after how long, all of the receiver is called again."""

    def endpoints(self, duty: Duty, now: int) -> Iterator[Endpoint]:
        """Who that is at a moment."""
        for channel in (*self.channels, *duty.channels(self.schedules, now)):
            yield Endpoint(
                channel=channel,
                send_resolved=self.send_resolved,
                after_ns=self.after_ns,
                rounds=self.rounds,
                round_ns=self.round_ns,
            )


def make_duty(
    options: OncallOptions, channels: Collection[str], intervals: Intervals
) -> tuple[Duty, list[ConfigError]]:
    """What is described, and everything that is wrong with it."""
    reading = _Reading(options, channels, intervals)
    schedules = {name: reading.schedule(name, each) for name, each in options.schedules.items()}
    reading.look_at_people()
    return Duty(people=options.people, schedules=schedules), reading.problems


class _Reading:
    """One look at the whole section, which a problem does not end."""

    def __init__(
        self, options: OncallOptions, channels: Collection[str], intervals: Intervals
    ) -> None:
        self.problems: list[ConfigError] = []
        self._options = options
        self._channels = channels
        self._intervals = intervals

    def look_at_people(self) -> None:
        for person, channels in self._options.people.items():
            for channel in channels:
                self._must_know(f"people.{person}", channel, self._channels, kind="channel")

    def schedule(self, name: str, options: DutyOptions) -> DutySchedule:
        path = f"schedules.{name}"
        layers = tuple(
            self._layer(f"{path}.layers[{n}]", each) for n, each in enumerate(options.layers)
        )
        overrides = tuple(
            self._override(f"{path}.overrides[{n}]", each)
            for n, each in enumerate(options.overrides)
        )
        return DutySchedule(name=name, layers=layers, overrides=overrides)

    def _layer(self, path: str, options: RotationOptions) -> Rotation:
        for person in options.people:
            self._must_know(f"{path}.people", person, self._options.people, kind="person")
        for name in options.only:
            self._must_know(f"{path}.only", name, self._intervals, kind="time interval")
        if not options.people or options.length < 1:
            self._wrong(f"{path}.length", "there has to be somebody, for one turn at least")
        return Rotation(
            people=options.people,
            starts=self._read(f"{path}.starts", "2026-01-05", _day, options.starts),
            at=self._read(f"{path}.at", "00:00", _time, options.at),
            turn=options.turn,
            length=max(options.length, 1),
            zone=self._read(f"{path}.zone", "UTC", parse_zone, options.zone),
            only=tuple(each for name in options.only for each in self._intervals.get(name, ())),
        )

    def _override(self, path: str, options: OverrideOptions) -> Override:
        self._must_know(f"{path}.person", options.person, self._options.people, kind="person")
        zone = self._read(f"{path}.zone", "UTC", parse_zone, options.zone)
        starts, ends = (
            self._read(f"{path}.{key}", 0, moment_of, getattr(options, key), zone)
            for key in ("starts", "ends")
        )
        if starts and ends and ends <= starts:
            self._wrong(f"{path}.ends", "it has to end after it starts")
        return Override(person=options.person, starts_at=starts, ends_at=ends)

    def _must_know(self, path: str, name: str, known: Collection[str], *, kind: str) -> None:
        if name not in known:
            near = nearest_to(name, known)
            self._wrong(path, f"there is no {kind} {name!r}", near)

    def _read(self, path: str, otherwise: T, parse: Callable[..., T], *args: Any) -> T:
        try:
            return parse(*args)
        except ConfigError as problem:
            self._wrong(path, problem.reason, problem.nearest)
        except (ScheduleError, ValueError) as problem:
            self._wrong(path, str(problem))
        return otherwise

    def _wrong(self, path: str, reason: str, near: tuple[str, ...] = ()) -> None:
        self.problems.append(ConfigError(f"oncall.{path}", reason, near))


def _day(text: str) -> str:
    return date.fromisoformat(text).isoformat()


def _time(text: str) -> str:
    return time.fromisoformat(text).isoformat("minutes")
