"""Thresholds: read from text, written back to the same text, compared with a value."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence

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


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """A line, and another that has to be crossed before it is over: hysteresis."""

    line: Threshold
    clear: Threshold | None = None
    severity: str = ""

    def holds(self, value: float, *, held: bool) -> bool:
        """Whether it is breached, given whether it was; NaN changes nothing."""
        if self.line.crossed_by(value):
            return True
        return held and self.clear is not None and not self.clear.crossed_by(value)


def worst_of(levels: Sequence[Level], value: float, *, held: int) -> int:
    """How many of the levels, the mildest first, are breached now; `held` is how many were."""
    return max(
        (n for n, level in enumerate(levels, 1) if level.holds(value, held=n <= held)), default=0
    )


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
