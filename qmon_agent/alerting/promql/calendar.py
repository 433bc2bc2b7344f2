"""Times of day and year of a number of seconds since 1970, in UTC, for any year."""

from __future__ import annotations

import math
from collections.abc import Callable

_DAY = 86_400
_MOST = 1 << 63
_FEBRUARY = 2


def _date(days: int) -> tuple[int, int, int]:
    """The proleptic Gregorian date of a day since 1970; eras of 400 years begin in March."""
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    month_day = day - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9  # noqa: PLR2004 - March is month 0 of the era
    return era * 400 + year + (month <= _FEBRUARY), month, month_day


def _length(year: int, month: int) -> int:
    if month == _FEBRUARY:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in {4, 6, 9, 11} else 31


def _of_day(of: Callable[[int], int]) -> Callable[[float], float]:
    return lambda seconds: _whole(seconds, lambda whole: of(whole // _DAY))


def _of_second(of: Callable[[int], int]) -> Callable[[float], float]:
    return lambda seconds: _whole(seconds, lambda whole: of(whole % _DAY))


def _whole(seconds: float, of: Callable[[int], int]) -> float:
    if not -_MOST <= seconds < _MOST:
        return math.nan
    return float(of(int(seconds)))


def _in_year(days: int) -> int:
    year = _date(days)[0]
    before = (year - 1) * 365 + (year - 1) // 4 - (year - 1) // 100 + (year - 1) // 400
    return days + 719_163 - before


PARTS: dict[str, Callable[[float], float]] = {
    "minute": _of_second(lambda second: second // 60 % 60),
    "hour": _of_second(lambda second: second // 3600),
    "day_of_week": _of_day(lambda day: (day + 4) % 7),
    "day_of_month": _of_day(lambda day: _date(day)[2]),
    "day_of_year": _of_day(_in_year),
    "days_in_month": _of_day(lambda day: _length(*_date(day)[:2])),
    "month": _of_day(lambda day: _date(day)[1]),
    "year": _of_day(lambda day: _date(day)[0]),
}
