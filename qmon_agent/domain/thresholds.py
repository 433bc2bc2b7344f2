"""Thresholds: read from text, written back to the same text, compared with a value."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable

import msgspec

from .durations import DURATION, parse_duration, print_duration
from .errors import InvalidThresholdError

EXACT = 1e15
"""Below this a whole number is written without exponent or fraction."""

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_THRESHOLD = re.compile(
    rf"(?P<operator>>=|<=|==|!=|>|<)?\s*(?P<bound>{_NUMBER})"
    rf"(?:\s+for\s+(?P<hold>{DURATION}))?"
    rf"(?:\s+keep\s+(?P<keep>{DURATION}))?\Z"
)


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """A line, the side of it that is bad, and how long a value must stay there."""

    operator: str = ">="
    bound: float
    for_ns: int = 0
    keep_firing_ns: int = 0

    def crossed_by(self, value: float) -> bool:
        """Whether the value is on the bad side; NaN never is."""
        return not math.isnan(value) and OPERATORS[self.operator](value, self.bound)

    def __str__(self) -> str:
        """The text `parse_threshold` reads back to an equal threshold."""
        whole = self.bound.is_integer() and abs(self.bound) < EXACT
        bound = int(self.bound) if whole else self.bound
        hold = f" for {print_duration(self.for_ns)}" if self.for_ns else ""
        keep = f" keep {print_duration(self.keep_firing_ns)}" if self.keep_firing_ns else ""
        return f"{self.operator} {bound}{hold}{keep}"


def parse_threshold(text: str | float) -> Threshold:
    """Read `> 0.5 for 10s keep 1m`; a bare number means at least that much."""
    found = _THRESHOLD.match(str(text).strip())
    if found is None:
        raise InvalidThresholdError(text, "not an operator and a number")
    bound = float(found["bound"])
    if not math.isfinite(bound):
        raise InvalidThresholdError(text, "the number is too large")
    return Threshold(
        operator=found["operator"] or ">=",
        bound=bound,
        for_ns=parse_duration(found["hold"] or ""),
        keep_firing_ns=parse_duration(found["keep"] or ""),
    )
