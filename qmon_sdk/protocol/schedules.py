"""When a job is to run, as text: the five fields of a crontab, a short name of them, an interval.

`0 3 * * *` and `@daily`; `every 5 minutes`, `every hour`, `every 1h30m`. Fields take `*`, numbers,
names (`jan`, `mon`), ranges, lists and steps; Sunday is 0 and 7. As in every cron, a day of the
month and a day of the week that are both restricted are alternatives.
"""

from __future__ import annotations

from .records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Bounds = tuple[str, int, int, dict[str, int]]
    """A field's name, its least and its greatest value, and the names of values."""

SHORT = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
EVERY = "every "
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
SHORTEST_S = 0.001
LONGEST_S = 366 * 86400

_SPELT = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("w", "week", "weeks"), "w"),
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[Bounds, ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: place for place, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 7, {name: place for place, name in enumerate(_DAYS)}),
)
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SUNDAY = 7


class ScheduleError(ValueError):
    """A schedule that cannot be, with the part of it that is wrong."""


class Every(Record):
    """Again and again, so many seconds after the last time."""

    seconds: float = 0.0


class Crontab(Record):
    """At the minutes that fit all fields; `either_day` where a day may fit in one of two ways."""

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()  # Sunday is 0
    either_day: bool = False
    follows_the_clock: bool = (
        False  # minute or hour is `*`: it runs by real time, whatever is shown
    )


def parse_schedule(said: Any) -> Crontab | Every:
    """Read a schedule: a text, a number of seconds, or a `timedelta`; raises `ScheduleError`."""
    text = schedule_text(said)
    if text.startswith(EVERY):
        return Every(seconds=_seconds(text.removeprefix(EVERY), text))
    return _crontab(text)


def schedule_text(said: Any) -> str:
    """Write a schedule as it travels: one blank between words, intervals in seconds."""
    if isinstance(said, str):
        text = " ".join(said.lower().split())
        if not text.startswith(EVERY):
            return SHORT.get(text, text)
        return _every(_seconds(text.removeprefix(EVERY), said))
    return _every(seconds_of(said))


def seconds_of(said: Any) -> float:
    """Read a length of time: a number of seconds, a `timedelta`, or a text such as `90s`."""
    if isinstance(said, str):
        return _seconds(said.lower().strip(), said)
    seconds = said.total_seconds() if hasattr(said, "total_seconds") else said
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ScheduleError(f"{type(said).__name__} is no schedule: say a text or seconds")
    return _bounded(float(seconds), f"{seconds}")


def _every(seconds: float) -> str:
    return f"{EVERY}{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def _seconds(text: str, said: str) -> float:
    """Add up `5 minutes`, `1h30m` or `90`; a unit alone is one of it."""
    text = text.replace(" ", "")
    if text in _SPELT:
        return float(UNITS[_SPELT[text]])
    total, number, unit = 0.0, "", ""
    for letter in text + "\0":
        if unit and not letter.isalpha():
            total += _number(number, said) * UNITS[_unit(unit, said)]
            number = unit = ""
        if letter.isalpha():
            unit += letter
        elif letter != "\0":
            number += letter
    if number:
        total += _number(number, said)
    return _bounded(total, said)


def _number(text: str, said: str) -> float:
    if text.replace(".", "", 1).isdecimal() and text.isascii():
        return float(text)
    raise ScheduleError(f"{said!r}: {text!r} is no number")


def _unit(text: str, said: str) -> str:
    if text in _SPELT:
        return _SPELT[text]
    raise ScheduleError(f"{said!r}: {text!r} is no unit of time (s, m, h, d, w)")


def _bounded(seconds: float, said: str) -> float:
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise ScheduleError(f"{said!r}: a millisecond at least, and a year at most")
    return seconds


def _crontab(text: str) -> Crontab:
    parts = text.split()
    if len(parts) != len(_FIELDS):
        hint = "five fields, `@daily` and the like, or `every 5 minutes`"
        raise ScheduleError(f"{text!r} is no schedule: {hint}")
    minutes, hours, days, months, weekdays = (
        _field(part, field) for part, field in zip(parts, _FIELDS, strict=True)
    )
    either = parts[2][0] != "*" and parts[4][0] != "*"
    if not either and not any(min(days) <= _LENGTHS[month - 1] for month in months):
        raise ScheduleError(f"{text!r} never comes: no such day in these months")
    return Crontab(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % _SUNDAY for day in weekdays),
        either_day=either,
        follows_the_clock=parts[0][0] == "*" or parts[1][0] == "*",
    )


def _field(text: str, field: Bounds) -> frozenset[int]:
    found: set[int] = set()
    for item in text.split(","):
        found.update(_item(item, field))
    return frozenset(found)


def _item(item: str, field: Bounds) -> range:
    name, least, most, _ = field
    span, slash, step = item.partition("/")
    every = int(step) if step.isdecimal() and step.isascii() and len(step) <= len("59") else 0
    if slash and not every:
        raise ScheduleError(f"{name}: {step!r} is no step")
    first, dash, last = span.partition("-")
    if span == "*":
        start, end = least, most - (most == _SUNDAY)
    else:
        start = _value(first, field)
        end = _value(last, field) if dash else most if slash else start
    if end < start:
        raise ScheduleError(f"{name}: {span!r} ends before it begins")
    return range(start, end + 1, every or 1)


def _value(text: str, field: Bounds) -> int:
    name, least, most, names = field
    number = names.get(text, -1)
    if number < 0 and text.isdecimal() and text.isascii() and len(text) <= len("31"):
        number = int(text)
    if not least <= number <= most:
        raise ScheduleError(f"{name}: {text!r} is not between {least} and {most}")
    return number
