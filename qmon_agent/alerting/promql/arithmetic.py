"""Operators between two numbers, with the results Go gives where Python would raise."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

Operation = Callable[[float, float], float]
_ODD = 2.0


def divide(left: float, right: float) -> float:
    """By zero as IEEE 754 has it."""
    try:
        return left / right
    except ZeroDivisionError:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)


def modulo(left: float, right: float) -> float:
    """The remainder with the sign of the dividend."""
    try:
        return math.fmod(left, right)
    except ValueError:
        return math.nan


def power(left: float, right: float) -> float:
    """Never a complex number, and infinite rather than too large."""
    try:
        return math.pow(left, right)
    except OverflowError:
        return -math.inf if left < 0 and math.fmod(right, _ODD) else math.inf
    except ValueError:
        if left != 0:
            return math.nan
        is_odd = right == math.floor(right) and math.fmod(right, _ODD) != 0
        return math.copysign(math.inf, left) if is_odd else math.inf


ARITHMETIC: dict[str, Operation] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": divide,
    "%": modulo,
    "^": power,
    "atan2": math.atan2,
}
COMPARISON: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
SETS = frozenset({"and", "or", "unless"})
