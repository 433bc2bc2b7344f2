"""The `[routing]` section as a tree, and everything that is wrong with it, named by its path."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

import msgspec

from qmon_agent.domain.alarms import interval_text as read
from qmon_agent.domain.alarms.calling import Endpoint
from qmon_agent.domain.alarms.inhibition import InhibitRule
from qmon_agent.domain.alarms.intervals import Span, TimeInterval
from qmon_agent.domain.alarms.matcher_text import parse_matchers
from qmon_agent.domain.alarms.matchers import Matchers
from qmon_agent.domain.alarms.route_tree import ALL_LABELS, Branch, Route, plant
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError, nearest_to, raise_all
from qmon_agent.settings.oncall import OncallOptions
from qmon_agent.settings.routing import (
    EscalationOptions,
    InhibitOptions,
    ReceiverOptions,
    RouteOptions,
    RoutingOptions,
    TimeIntervalOptions,
)

from .duty import Caller, Duty, make_duty

T = TypeVar("T")
NOBODY = OncallOptions()
MOST_DEPTH = 20
MOST_ROUNDS = 100


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Who hears of what, and when nobody does."""

    root: Route
    callers: Mapping[str, tuple[Caller, ...]]
    duty: Duty = Duty()
    inhibit_rules: tuple[InhibitRule, ...] = ()
    intervals: Mapping[str, tuple[TimeInterval, ...]] = {}

    def receivers(self, now: int) -> dict[str, tuple[Endpoint, ...]]:
        """Who that is at a moment; of a channel that is named twice, the first counts."""
        return {name: self.endpoints(name, now) for name in self.callers}

    def endpoints(self, receiver: str, now: int) -> tuple[Endpoint, ...]:
        """Those of one receiver."""
        found: dict[str, Endpoint] = {}
        for caller in self.callers.get(receiver, ()):
            for endpoint in caller.endpoints(self.duty, now):
                found.setdefault(endpoint.channel, endpoint)
        return tuple(found.values())


def make_plan(
    options: RoutingOptions, channels: Collection[str], oncall: OncallOptions = NOBODY
) -> Plan:
    """The plan that the sections describe; raises all that is wrong with it as ConfigErrors."""
    return _Reading(options, channels, oncall).plan()


class _Reading:
    """One look at the whole section, which a problem does not end."""

    def __init__(
        self, options: RoutingOptions, channels: Collection[str], oncall: OncallOptions
    ) -> None:
        self._options = options
        self._oncall = oncall
        self._channels = channels
        self._problems: list[ConfigError] = []

    def plan(self) -> Plan:
        options = self._options
        if not options.receiver:
            self._wrong("receiver", "the root must say who is told of what no branch matches")
        if options.matchers or options.continue_:
            self._wrong("matchers", "the root answers for everything: put them into a branch")
        intervals = {
            name: tuple(
                self._interval(f"time_intervals.{name}[{n}]", each) for n, each in enumerate(listed)
            )
            for name, listed in options.time_intervals.items()
        }
        rules = tuple(self._rule(n, each) for n, each in enumerate(options.inhibit_rules))
        root = plant(self._branch("", options))
        callers = self._callers()
        duty, wrong = make_duty(self._oncall, self._channels, intervals)
        raise_all([*self._problems, *wrong])
        return Plan(root=root, callers=callers, duty=duty, inhibit_rules=rules, intervals=intervals)

    def _branch(self, path: str, options: RouteOptions, depth: int = 0) -> Branch:
        def inside(key: str) -> str:
            return f"{path}.{key}".lstrip(".")

        if depth > MOST_DEPTH:
            self._wrong(path, f"the tree is deeper than {MOST_DEPTH}")
            return Branch()
        for key in ("mute_time_intervals", "active_time_intervals"):
            for name in getattr(options, key):
                self._must_know(
                    inside(key), name, self._options.time_intervals, kind="time interval"
                )
        if options.group_by and ALL_LABELS in options.group_by and len(options.group_by) > 1:
            self._wrong(inside("group_by"), f"{ALL_LABELS!r} is all labels: nothing goes beside it")
        if options.receiver:
            known = [*self._options.receivers, *self._channels]
            self._must_know(inside("receiver"), options.receiver, known, kind="receiver or channel")
        return Branch(
            receiver=options.receiver,
            matchers=self._matchers(inside("matchers"), options.matchers),
            goes_on=options.continue_,
            group_by=options.group_by,
            group_wait_ns=self._nanos(inside("group_wait"), options.group_wait),
            group_interval_ns=self._nanos(
                inside("group_interval"), options.group_interval, least=1
            ),
            repeat_interval_ns=self._nanos(
                inside("repeat_interval"), options.repeat_interval, least=1
            ),
            mute_intervals=options.mute_time_intervals,
            active_intervals=options.active_time_intervals,
            branches=tuple(
                self._branch(inside(f"routes[{n}]"), each, depth + 1)
                for n, each in enumerate(options.routes)
            ),
        )

    def _rule(self, number: int, options: InhibitOptions) -> InhibitRule:
        path = f"inhibit_rules[{number}]"
        for key in ("source_matchers", "target_matchers"):
            if not getattr(options, key):
                self._wrong(f"{path}.{key}", "without matchers it would be about everything")
        return InhibitRule(
            source=self._matchers(f"{path}.source_matchers", options.source_matchers),
            target=self._matchers(f"{path}.target_matchers", options.target_matchers),
            equal=options.equal,
        )

    def _interval(self, path: str, options: TimeIntervalOptions) -> TimeInterval:
        return TimeInterval(
            times=tuple(
                self._read(
                    f"{path}.times", (0, 0), read.parse_times, each.start_time, each.end_time
                )
                for each in options.times
            ),
            weekdays=self._spans(f"{path}.weekdays", options.weekdays, read.parse_weekdays),
            days_of_month=self._spans(
                f"{path}.days_of_month", options.days_of_month, read.parse_days
            ),
            months=self._spans(f"{path}.months", options.months, read.parse_months),
            years=self._spans(f"{path}.years", options.years, read.parse_years),
            zone=self._read(f"{path}.location", "UTC", read.parse_zone, options.location),
        )

    def _spans(
        self, path: str, texts: Sequence[str | int], parse: Callable[[str], Span]
    ) -> tuple[Span, ...]:
        none: tuple[Span, ...] = ()
        return self._read(path, none, read.parse_each, texts, parse)

    def _matchers(self, path: str, texts: Sequence[str]) -> Matchers:
        none: Matchers = ()
        found = [self._read(path, none, parse_matchers, text) for text in texts]
        return tuple(matcher for each in found for matcher in each)

    def _nanos(self, path: str, text: str | float | None, *, least: int = 0) -> int | None:
        if text is None:
            return None
        nanos = self._read(path, least, _duration, text)
        if nanos < least:
            self._wrong(path, "it must be longer than nothing")
        return nanos

    def _callers(self) -> dict[str, tuple[Caller, ...]]:
        made: dict[str, tuple[Caller, ...]] = {
            name: (Caller(channels=(name,)),) for name in self._channels
        }
        for name, options in self._options.receivers.items():
            path = f"receivers.{name}"
            first = self._caller(path, options, 0, ends_too=options.send_resolved)
            later = [
                self._caller(
                    f"{path}.escalate[{n}]",
                    each,
                    self._nanos(f"{path}.escalate[{n}].after", each.after, least=1) or 1,
                    ends_too=options.send_resolved,
                )
                for n, each in enumerate(options.escalate)
            ]
            made[name] = self._repeated((first, *later), options.repeat, f"{path}.repeat")
        return made

    def _repeated(self, steps: tuple[Caller, ...], times: int, path: str) -> tuple[Caller, ...]:
        """The steps, of which all are called again: a round ends as long after the last as it waits
        for the first.
        """
        waits = [step.after_ns for step in steps[1:]]
        if not 0 <= times <= MOST_ROUNDS:
            self._wrong(path, f"it can be 0 to {MOST_ROUNDS} times")
        if times and not waits:
            self._wrong(path, "without `escalate` there is nothing to be repeated")
        if not times or not waits:
            return steps
        length = max(waits) + min(waits)
        return tuple(msgspec.structs.replace(s, rounds=times, round_ns=length) for s in steps)

    def _caller(
        self,
        path: str,
        options: ReceiverOptions | EscalationOptions,
        after_ns: int,
        *,
        ends_too: bool,
    ) -> Caller:
        for channel in options.channels:
            self._must_know(f"{path}.channels", channel, self._channels, kind="channel")
        for name in options.oncall:
            self._must_know(f"{path}.oncall", name, self._oncall.schedules, kind="schedule")
        return Caller(
            channels=options.channels,
            schedules=options.oncall,
            after_ns=after_ns,
            send_resolved=ends_too,
        )

    def _must_know(self, path: str, name: str, known: Collection[str], *, kind: str) -> None:
        if name not in known:
            self._wrong(path, f"there is no {kind} {name!r}", nearest_to(name, known))

    def _read(self, path: str, otherwise: T, parse: Callable[..., T], *args: object) -> T:
        try:
            return parse(*args)
        except ConfigError as problem:
            self._wrong(path, problem.reason, problem.nearest)
            return otherwise

    def _wrong(self, path: str, reason: str, nearest: Sequence[str] = ()) -> None:
        self._problems.append(ConfigError(f"routing.{path}".rstrip("."), reason, nearest))


def _duration(text: str | float) -> int:
    try:
        return parse_duration(text)
    except ValueError as problem:
        raise ConfigError("", str(problem)) from None
