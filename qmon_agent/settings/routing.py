"""`[routing]`: the section whose keys are those of an Alertmanager configuration."""

from __future__ import annotations

import msgspec


class TimeOfDay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From a time of day up to another: `09:00`, `24:00`."""

    start_time: str
    end_time: str


class TimeIntervalOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When something holds: all that is said, and of each list one."""

    times: tuple[TimeOfDay, ...] = ()
    """Times of day; the end is not in it any more."""
    weekdays: tuple[str, ...] = ()
    """`saturday`, `monday:friday`."""
    days_of_month: tuple[str | int, ...] = ()
    """`1:7`, or from the end of the month `-3:-1`."""
    months: tuple[str | int, ...] = ()
    """`may`, `6:8`."""
    years: tuple[str | int, ...] = ()
    """`2026:2027`."""
    location: str = "UTC"
    """The place whose clocks count: `Europe/Berlin`."""


class RouteOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A branch of the tree; what it does not say is as its parent has it."""

    receiver: str = ""
    """Who is told: a name under `[routing.receivers]`, or a channel."""
    matchers: tuple[str, ...] = ()
    """What an alert must be like: `team="db"`, `severity=~"error|critical"`."""
    continue_: bool = msgspec.field(default=False, name="continue")
    """Whether the branches behind it are asked as well."""
    group_by: tuple[str, ...] | None = None
    """Alerts with the same values of these labels are told together; `...`: of all labels."""
    group_wait: str | float | None = None
    """How long a new group waits for others to join."""
    group_interval: str | float | None = None
    """How often a group is looked at for news."""
    repeat_interval: str | float | None = None
    """After how long the same is said again."""
    mute_time_intervals: tuple[str, ...] = ()
    """Names of times at which nobody is told."""
    active_time_intervals: tuple[str, ...] = ()
    """Names of times at which alone somebody is told."""
    routes: tuple[RouteOptions, ...] = ()
    """Branches of this one."""


class EscalationOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who else is told, while nobody takes it on."""

    after: str | float
    """How long nobody has, since it was told first."""
    channels: tuple[str, ...] = ()
    """Names of sections under `[channels]`."""
    oncall: tuple[str, ...] = ()
    """Names of `[oncall.schedules]`: whoever is on call."""


class ReceiverOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Several channels under one name."""

    channels: tuple[str, ...] = ()
    """Names of sections under `[channels]`."""
    oncall: tuple[str, ...] = ()
    """Names of `[oncall.schedules]`: whoever is on call is told."""
    escalate: tuple[EscalationOptions, ...] = ()
    """Who else is told, step by step, while nobody takes it on."""
    repeat: int = 0
    """How many times more all of them are called, step by step, while nobody takes it on."""
    send_resolved: bool = True
    """Whether they hear that something is over."""


class InhibitOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nobody is told of targets while a source fires."""

    source_matchers: tuple[str, ...] = ()
    """What the alert is like that explains others."""
    target_matchers: tuple[str, ...] = ()
    """What those are like."""
    equal: tuple[str, ...] = ()
    """Labels that must be the same of both."""


class RoutingOptions(RouteOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The root of the tree, and what the branches name."""

    receivers: dict[str, ReceiverOptions] = {}
    """Channels that are told together, by the name of the receiver."""
    inhibit_rules: tuple[InhibitOptions, ...] = ()
    """What is not told because something else explains it."""
    time_intervals: dict[str, tuple[TimeIntervalOptions, ...]] = {}
    """Times by name, of which one of each list is enough."""

    @property
    def is_said(self) -> bool:
        """Whether there is a tree at all."""
        return self != _NOTHING_SAID


_NOTHING_SAID = RoutingOptions()
