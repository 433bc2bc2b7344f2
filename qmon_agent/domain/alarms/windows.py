"""Maintenance windows: once, again and again, or from the first failure on."""

from __future__ import annotations

import msgspec

from qmon_agent.domain.schedules import next_run

from .matchers import Labels, Matchers, all_hold


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Work on something: what is about it is told to nobody meanwhile; times in nanoseconds UTC.

    Once from `starts_at` to `ends_at`; or with a `schedule` at every run of it for `lasts_ns`; or,
    `flexible`, for `lasts_ns` from the first failure inside of either.
    """

    name: str
    matchers: Matchers = ()
    starts_at: int = 0
    ends_at: int = 0
    schedule: str = ""
    """As of a crontab; between `starts_at` and `ends_at`, where those are given."""
    opens_ns: int = 0
    """How long each run of the schedule is open."""
    zone: str = "UTC"
    lasts_ns: int = 0
    """Of a flexible one: how long the work takes, once it has begun."""
    is_flexible: bool = False


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """Since when a flexible window is in use: zero, not at all."""

    at: int = 0


NOT_BEGUN = Begun()


def is_about(window: Window, labels: Labels) -> bool:
    """Whether an alert with these labels is muted while the window is in use."""
    return all_hold(window.matchers, labels)


def is_open(window: Window, now: int) -> bool:
    """Whether the window is open, start included and end not."""
    if window.starts_at and now < window.starts_at:
        return False
    if window.ends_at and now >= window.ends_at:
        return False
    if not window.schedule:
        return bool(window.starts_at or window.ends_at)
    # The last run that could still be open is the first one after so long ago.
    return next_run(window.schedule, now - window.opens_ns, window.zone) <= now


def begin(window: Window, begun: Begun, now: int) -> Begun:
    """After a failure of something it is about: a flexible window is in use from the first on."""
    if not window.is_flexible or not is_open(window, now) or is_in_use(window, begun, now):
        return begun
    # What the work took is taken once in each opening.
    return begun if begun.at and _same_opening(window, begun.at, now) else Begun(at=now)


def is_in_use(window: Window, begun: Begun, now: int) -> bool:
    """Whether what it is about is muted now."""
    if not window.is_flexible:
        return is_open(window, now)
    return bool(begun.at) and begun.at <= now < begun.at + window.lasts_ns


def _same_opening(window: Window, first: int, now: int) -> bool:
    if not window.schedule:
        return True
    return next_run(window.schedule, first, window.zone) > now
