"""Reads time intervals as Alertmanager writes them: `monday:friday`, `-3:-1`, `09:00`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from qmon_agent.domain.errors import ConfigError, nearest_to
from qmon_agent.domain.schedules import is_known_zone

from .intervals import Span

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
LONGEST_MONTH, SHORTEST_MONTH = 31, 28
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_DAY_MINUTES = 1_440


def parse_times(start: str, end: str) -> Span:
    """Minutes of the day from `09:00` up to `17:00`; the day ends at `24:00`."""
    span = (_minute(start), _minute(end))
    if span[0] >= span[1]:
        raise ConfigError("", f"{start} to {end}: the start must come before the end")
    return span


def parse_weekdays(text: str) -> Span:
    """`saturday`, or `monday:friday`."""
    return _ordered(text, lambda word: _named(word, WEEKDAYS))


def parse_months(text: str) -> Span:
    """`may`, `5`, or `june:8`."""

    def month(word: str) -> int:
        number = _number(word) if word.lstrip("-").isdecimal() else _named(word, MONTHS) + 1
        if not 1 <= number <= len(MONTHS):
            raise ConfigError("", f"{word!r} is no month")
        return number

    return _ordered(text, month)


def parse_years(text: str) -> Span:
    """`2026`, or `2026:2028`."""
    return _ordered(text, _number)


def parse_days(text: str) -> Span:
    """`1`, `1:7`, or from the end of the month `-3:-1`."""
    first, last = span = _ends(text, _number)
    if any(day == 0 or abs(day) > LONGEST_MONTH for day in span):
        raise ConfigError("", f"{text!r}: days are 1 to 31, or -31 to -1")
    if first < 0 < last:
        raise ConfigError("", f"{text!r}: from a day before the end it can go to such a day only")
    # In the shortest month; where that is wrong, it is wrong in every one.
    if _in_shortest(first) > _in_shortest(last):
        raise ConfigError("", f"{text!r} ends before it starts")
    return span


def parse_zone(name: str) -> str:
    """The name of a place whose clocks this machine knows."""
    if not is_known_zone(name):
        raise ConfigError("", f"{name!r} is no time zone that this machine knows")
    return name


def parse_each(texts: Sequence[object], parse: Callable[[str], Span]) -> tuple[Span, ...]:
    """A list of such texts, of which a number is one as well."""
    return tuple(parse(str(text)) for text in texts)


def _in_shortest(day: int) -> int:
    return day if day > 0 else SHORTEST_MONTH + day


def _minute(text: str) -> int:
    found = _TIME.fullmatch(text)
    if found is None:
        raise ConfigError("", f"{text!r} is no time of day (write for example 09:30, or 24:00)")
    return int(found[1]) * 60 + int(found[2]) if found[1] else _DAY_MINUTES


def _ordered(text: str, read: Callable[[str], int]) -> Span:
    span = _ends(text, read)
    if span[0] > span[1]:
        raise ConfigError("", f"{text!r} ends before it starts")
    return span


def _ends(text: str, read: Callable[[str], int]) -> Span:
    words = text.lower().split(":")
    if len(words) > 2:  # noqa: PLR2004 - a start and an end
        raise ConfigError("", f"{text!r} is no range (write for example first:last)")
    return read(words[0].strip()), read(words[-1].strip())


def _named(word: str, names: Sequence[str]) -> int:
    if word not in names:
        raise ConfigError("", f"{word!r} is none of {', '.join(names)}", nearest_to(word, names))
    return names.index(word)


def _number(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise ConfigError("", f"{word!r} is no number") from None
