"""Time intervals by the clocks of a place: hours, weekdays, days, months and years."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.schedules import zone_of

Span = tuple[int, int]
"""Both ends are in it, except of times of day, whose end is not."""


class TimeInterval(msgspec.Struct, frozen=True, kw_only=True):
    """All that is said has to hold; of a list, one; an empty list says nothing."""

    times: tuple[Span, ...] = ()
    """Minutes of the day: 0 to 1440."""
    weekdays: tuple[Span, ...] = ()
    """Sunday is 0."""
    days_of_month: tuple[Span, ...] = ()
    """The last day is -1."""
    months: tuple[Span, ...] = ()
    years: tuple[Span, ...] = ()
    zone: str = "UTC"

    def holds(self, now: int) -> bool:
        """Whether a moment, in nanoseconds UTC, is in it."""
        local = datetime.fromtimestamp(now // SECOND, zone_of(self.zone))
        minute = local.hour * 60 + local.minute
        return (
            (not self.times or any(start <= minute < end for start, end in self.times))
            and _in_one(self.weekdays, local.isoweekday() % 7)
            and _in_one(self.months, local.month)
            and _in_one(self.years, local.year)
            and self._has_day(local)
        )

    def _has_day(self, local: datetime) -> bool:
        length = monthrange(local.year, local.month)[1]
        days = tuple(
            (_counted(first, length), min(_counted(last, length), length))
            for first, last in self.days_of_month
        )
        return _in_one(days, local.day)


Intervals = Mapping[str, tuple[TimeInterval, ...]]
"""By their name; one of several is enough."""


def closed_by(
    intervals: Intervals, now: int, *, mute: Collection[str], active: Collection[str]
) -> tuple[str, ...]:
    """The names of what keeps a route quiet now: intervals it is muted in, or not active in."""
    muted = [name for name in mute if is_in(intervals, name, now)]
    if muted or not active:
        return tuple(muted)
    return () if any(is_in(intervals, name, now) for name in active) else tuple(active)


def is_in(intervals: Intervals, name: str, now: int) -> bool:
    """Whether a moment is in the interval of this name; in one that is not there, never."""
    return any(each.holds(now) for each in intervals.get(name, ()))


def _counted(day: int, length: int) -> int:
    return day if day > 0 else length + day + 1


def _in_one(spans: tuple[Span, ...], value: int) -> bool:
    return not spans or any(first <= value <= last for first, last in spans)
