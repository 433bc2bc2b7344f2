"""The `[[maintenance]]` tables as windows, and which of them are in use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from qmon_agent.domain.alarms.interval_text import parse_zone
from qmon_agent.domain.alarms.matcher_text import parse_matchers
from qmon_agent.domain.alarms.matchers import Labels, Matchers
from qmon_agent.domain.alarms.windows import (
    NOT_BEGUN,
    Begun,
    Window,
    begin,
    is_about,
    is_in_use,
)
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError, raise_all
from qmon_agent.domain.schedules import moment_of, next_run
from qmon_agent.settings.maintenance import MaintenanceOptions
from qmon_sdk.protocol.schedules import ScheduleError

NOTE = "maintenance"
"""Under which name it is remembered when a window has begun with a failure."""


def make_windows(options: Sequence[MaintenanceOptions]) -> tuple[Window, ...]:
    """The windows that are described; raises all that is wrong with them as ConfigErrors."""
    problems: list[ConfigError] = []
    made = []
    for each in options:
        try:
            made.append(_window(each))
        except ConfigError as problem:
            path = f"maintenance.{each.name}.{problem.path}".rstrip(".")
            problems.append(ConfigError(path, problem.reason, problem.nearest))
    names = [each.name for each in options]
    twice = sorted({name for name in names if names.count(name) > 1})
    reason = "there is more than one of this name"
    problems += [ConfigError(f"maintenance.{name}", reason) for name in twice]
    raise_all(problems)
    return tuple(made)


class Windows:
    """Which are in use; those that begin with a failure remember since when."""

    def __init__(self, noted: str = "") -> None:
        """Go on from what was noted before a restart."""
        self._windows: tuple[Window, ...] = ()
        self._begun: dict[str, Begun] = {}
        if noted:
            self._begun = msgspec.json.decode(noted, type=dict[str, Begun])
        self._noted = noted

    @property
    def are_there(self) -> bool:
        return bool(self._windows)

    def follow(self, windows: tuple[Window, ...]) -> None:
        """Go by these from now on."""
        self._windows = windows

    def muting(self, labels: Labels, now: int) -> Iterator[str]:
        """The names of those that mute an alert: also one that it begins itself."""
        for window in self._windows:
            if is_about(window, labels):
                begun = begin(window, self._begun.get(window.name, NOT_BEGUN), now)
                if is_in_use(window, begun, now):
                    yield window.name

    def fail(self, labels: Labels, now: int) -> None:
        """Something fires: what begins with a failure has begun."""
        for window in self._windows:
            if window.is_flexible and is_about(window, labels):
                before = self._begun.get(window.name, NOT_BEGUN)
                after = begin(window, before, now)
                if after != before:
                    self._begun[window.name] = after

    def in_use(self, now: int) -> tuple[str, ...]:
        """The names of those that are in use."""
        return tuple(
            window.name
            for window in self._windows
            if is_in_use(window, self._begun.get(window.name, NOT_BEGUN), now)
        )

    def note(self) -> Mapping[str, str]:
        """What is to be remembered, if it is not yet."""
        if not self._begun:
            return {}
        text = msgspec.json.encode(self._begun).decode()
        if text == self._noted:
            return {}
        self._noted = text
        return {NOTE: text}


def _window(options: MaintenanceOptions) -> Window:
    zone = _at("zone", parse_zone, options.zone)
    starts, ends = (
        _at(key, moment_of, text, zone) if (text := getattr(options, key)) else 0
        for key in ("starts", "ends")
    )
    lasts, within = (_nanos(key, getattr(options, key)) for key in ("lasts", "within"))
    _check_times(options, starts, ends)
    is_flexible = bool(within) or options.from_first_failure
    if (options.schedule or is_flexible) and not lasts:
        raise ConfigError("lasts", "how long it lasts has to be said")
    return Window(
        name=options.name,
        matchers=_matchers(options.matchers),
        starts_at=starts,
        ends_at=ends,
        schedule=options.schedule,
        opens_ns=within or lasts,
        zone=zone,
        lasts_ns=lasts,
        is_flexible=is_flexible,
    )


def _check_times(options: MaintenanceOptions, starts: int, ends: int) -> None:
    if options.schedule:
        _at("schedule", next_run, options.schedule, 0)
    elif not starts or not ends:
        raise ConfigError("schedule", "there has to be one, or `starts` and `ends`")
    if starts and ends and ends <= starts:
        raise ConfigError("ends", "it has to end after it starts")
    if options.within != "" and not options.schedule:
        raise ConfigError("within", "it goes with a schedule; otherwise say `from_first_failure`")


def _matchers(texts: Sequence[str]) -> Matchers:
    made: Matchers = ()
    for text in texts:
        made += _at("matchers", parse_matchers, text)
    if not any(each.names_something for each in made):
        raise ConfigError("matchers", "one of them must not fit an alert without labels")
    return made


def _nanos(key: str, text: str | float) -> int:
    try:
        return parse_duration(text)
    except ValueError as problem:
        raise ConfigError(key, str(problem)) from None


def _at(key: str, parse: Any, *args: Any) -> Any:
    try:
        return parse(*args)
    except ConfigError as problem:
        raise ConfigError(key, problem.reason, problem.nearest) from None
    except ScheduleError as problem:
        raise ConfigError(key, str(problem)) from None
