"""Coverage-guided fuzzing of what reads matchers, expressions in them and time intervals.

A finding is any exception that is not an error of ours with a sentence, a matcher that does not
read back as it was written, and an expression that takes long.
"""

from __future__ import annotations

import sys
from contextlib import suppress

import atheris
from forms import by_first_byte

with atheris.instrument_imports(include=["qmon_agent"]):
    from qmon_agent.domain.alarms import interval_text
    from qmon_agent.domain.alarms.intervals import TimeInterval
    from qmon_agent.domain.alarms.matcher_text import parse_classic, parse_matchers, parse_quoted
    from qmon_agent.domain.alarms.matchers import all_hold, print_matchers
    from qmon_agent.domain.alarms.patterns import Pattern
    from qmon_agent.domain.errors import ConfigError

NOW = 1_700_000_000_000_000_000


def matchers(text: str) -> None:
    """Each reader, and what it understood is asked."""
    found = parse_matchers(text)
    all_hold(found, {"team": "db", "a": text[:20]})
    assert parse_matchers(print_matchers(found)) == found
    for parse in (parse_classic, parse_quoted):
        with suppress(ConfigError):
            parse(text)


def pattern(text: str) -> None:
    """An expression, on a value that is made of the same characters."""
    expression, _, value = text.partition("\0")
    Pattern(expression).fits(value[:200])


def interval(text: str) -> None:
    """A text as every part of an interval."""
    start, _, end = text.partition("-")
    parts = {
        "times": lambda: interval_text.parse_times(start, end),
        "weekdays": lambda: interval_text.parse_weekdays(text),
        "days_of_month": lambda: interval_text.parse_days(text),
        "months": lambda: interval_text.parse_months(text),
        "years": lambda: interval_text.parse_years(text),
    }
    for name, parse in parts.items():
        try:
            found = parse()
        except ConfigError as problem:
            assert str(problem)
            continue
        TimeInterval(**{name: (found,)}).holds(NOW)
    TimeInterval(zone=interval_text.parse_zone(text)).holds(NOW)


one_input = by_first_byte((matchers, pattern, interval), ConfigError)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
