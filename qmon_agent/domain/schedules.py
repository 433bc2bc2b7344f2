"""When a schedule comes next, by the clocks of a place on earth.

Where clocks are set, as every cron does it: what is due in an hour that is left out comes when the
clock has jumped, what is due in an hour that comes twice comes the first time, and what runs every
so many minutes goes by real time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from qmon_sdk.protocol.schedules import Crontab, Every, ScheduleError, parse_schedule

from .clock import SECOND

_DAYS_AHEAD = 366 * 41  # a 29th of February that is a Sunday may be forty years away
_MINUTE = timedelta(minutes=1)
_PLACES = 512


def next_run(schedule: str, after: int, timezone: str = "UTC") -> int:
    """The first moment later than `after` (both nanoseconds); raises ScheduleError."""
    when = _parsed(schedule)
    if isinstance(when, Every):
        return after + round(when.seconds * SECOND)
    place = zone_of(timezone)
    moment = datetime.fromtimestamp(after // SECOND, place)
    return round(_next(when, moment).timestamp()) * SECOND


def period_of(schedule: str) -> float | None:
    """The seconds between two runs, where they do not depend on the calendar."""
    when = _parsed(schedule)
    return when.seconds if isinstance(when, Every) else None


def wall_clock(moment: int, timezone: str) -> str:
    """A moment as the clocks of a place show it, to the second."""
    shown = datetime.fromtimestamp(moment // SECOND, zone_of(timezone))
    return f"{shown:%Y-%m-%d %H:%M:%S %Z}"


def moment_of(text: str, timezone: str) -> int:
    """When a clock of a place shows `2026-12-01 20:00`; raises ScheduleError."""
    try:
        wall = datetime.fromisoformat(text)
    except ValueError:
        raise ScheduleError(f"{text!r} is no moment (write for example 2026-12-01 20:00)") from None
    moment = wall if wall.tzinfo else wall.replace(tzinfo=zone_of(timezone))
    return round(moment.timestamp()) * SECOND


def is_known_zone(timezone: str) -> bool:
    """Whether this machine knows the clocks of a place."""
    try:
        zone_of(timezone)
    except ScheduleError:
        return False
    return True


@lru_cache(_PLACES)
def _parsed(schedule: str) -> Crontab | Every:
    return parse_schedule(schedule)


@lru_cache(_PLACES)
def zone_of(name: str) -> tzinfo:
    """The clocks of a place; raises ScheduleError where this machine does not know it."""
    if name in {"", "UTC"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleError(f"{name!r} is no time zone that this machine knows") from None


def _next(when: Crontab, after: datetime) -> datetime:
    again = _second_time(when, after) if when.follows_the_clock else None
    for wall in _walls(when, after.replace(tzinfo=None, second=0, fold=0) + _MINUTE):
        for moment in _moments(wall, when, after.tzinfo):
            if moment > after.astimezone(UTC):
                return min(moment, again) if again else moment
    raise ScheduleError("no such day in the years ahead")


def _moments(wall: datetime, when: Crontab, place: tzinfo | None) -> Iterator[datetime]:
    """When a clock on the wall shows this: once, never, or twice."""
    first = wall.replace(tzinfo=place)
    second = first.replace(fold=1)
    before, behind = first.astimezone(UTC), second.astimezone(UTC)
    if before == behind:
        yield before
    elif behind < before:  # the hour that is left out, read by the clocks of either side
        if not when.follows_the_clock:
            yield _change(behind, before, place)
    elif when.follows_the_clock:
        yield from (before, behind)
    else:
        yield before


def _second_time(when: Crontab, after: datetime) -> datetime | None:
    """The first run of an hour that comes twice, the second time, if it is still the first."""
    place, now = after.tzinfo, after.astimezone(UTC)
    behind = after.replace(fold=1).astimezone(UTC)
    if behind <= now:
        return None
    repeated = behind - now
    change = _change(now, behind, place)
    start = change.astimezone(place).replace(tzinfo=None, fold=0)
    wall = next(_walls(when, start))
    if wall >= start + repeated:
        return None
    return wall.replace(tzinfo=place, fold=1).astimezone(UTC)


def _change(before: datetime, behind: datetime, place: tzinfo | None) -> datetime:
    """The minute in which the clocks of a place are set, between two moments around it."""
    offset = before.astimezone(place).utcoffset()
    while behind - before > _MINUTE:
        middle = before + (behind - before) // 2
        middle = middle.replace(second=0, microsecond=0)
        if middle <= before:
            break
        if middle.astimezone(place).utcoffset() == offset:
            before = middle
        else:
            behind = middle
    return behind.replace(second=0, microsecond=0)


def _walls(when: Crontab, start: datetime) -> Iterator[datetime]:
    """What a clock shows at every run from `start` on, by the calendar alone."""
    day, hour, minute = start.date(), start.hour, start.minute
    last = day + timedelta(days=_DAYS_AHEAD)
    while day < last:
        if day.month not in when.months:
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            hour = minute = 0
            continue
        if _fits(when, day):
            yield from _times(when, day, (hour, minute))
        day += timedelta(days=1)
        hour = minute = 0


def _fits(when: Crontab, day: date) -> bool:
    by_month, by_week = day.day in when.days, day.isoweekday() % 7 in when.weekdays
    return by_month or by_week if when.either_day else by_month and by_week


def _times(when: Crontab, day: date, start: tuple[int, int]) -> Iterator[datetime]:
    for hour in sorted(when.hours):
        for minute in sorted(when.minutes) if hour >= start[0] else ():
            if (hour, minute) >= start:
                yield datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - a clock on the wall
