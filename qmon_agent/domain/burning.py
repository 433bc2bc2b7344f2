"""Error budgets, and how fast they burn.

The budget of an objective is the share that may go wrong, 1 − objective; the burn rate is the share
that does, divided by it (Google, "The Site Reliability Workbook", chapter 5, "Alerting on SLOs").
At a rate of 1 the budget lasts exactly its period. Windows and factors are those of sloth.
"""

from __future__ import annotations

import msgspec

from .durations import UNITS

_MINUTE, _HOUR, _DAY = UNITS["m"], UNITS["h"], UNITS["d"]
PERIOD_NS = 30 * _DAY
SHORT_BINS = 5
"""Of the sixty bins of a long window, those of the short one: each is a twelfth of it."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Two windows in both of which the budget has to burn this much too fast."""

    long_ns: int
    factor: float
    is_page: bool = False


PACES = (
    Pace(long_ns=_HOUR, factor=14.4, is_page=True),
    Pace(long_ns=6 * _HOUR, factor=6.0, is_page=True),
    Pace(long_ns=_DAY, factor=3.0),
    Pace(long_ns=3 * _DAY, factor=1.0),
)
"""2 % of a budget of 30 days in an hour, 5 % in six, 10 % in a day, 10 % in three."""


def burn_rate(bad: float, events: float, objective: float) -> float:
    """How many times too fast the budget burns; 0 where nothing happened."""
    return bad / events / (1 - objective) if events > 0 else 0.0


def exhausted_after(rate: float, period_ns: int = PERIOD_NS) -> float:
    """How long a whole budget lasts at this rate, in nanoseconds."""
    return period_ns / rate if rate > 0 else float("inf")
