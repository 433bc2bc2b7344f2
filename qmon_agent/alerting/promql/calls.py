"""Functions by their names, made of their arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .calendar import PARTS
from .histograms import HistogramQuantile
from .instants import (
    NUMBERS,
    Absent,
    AsScalar,
    AsVector,
    Joined,
    Now,
    OfNumbers,
    Replaced,
    Timestamp,
)
from .leaves import Number, Range, Subquery, Text
from .ranges import FUNCTIONS, OverRange
from .tree import Node, UnsupportedError

Arguments = Sequence[Node]


def call_of(name: str, arguments: Arguments) -> Node:
    """The node of a call; raises UnsupportedError for a function that is not there."""
    if name in FUNCTIONS:
        return _over_range(name, arguments)
    if name in NUMBERS:
        return _of_numbers(name, arguments)
    build = _OTHERS.get(name)
    if build is None:
        raise UnsupportedError(f"{name}() is not supported")
    return build(arguments)


def names() -> list[str]:
    """Every function there is."""
    return sorted({*FUNCTIONS, *NUMBERS, *_OTHERS})


def _over_range(name: str, arguments: Arguments) -> Node:
    for window in arguments:
        if isinstance(window, Range | Subquery):
            others = tuple(each for each in arguments if each is not window)
            return OverRange(name, window, others)
    raise UnsupportedError(f"{name}() wants a range")


def _of_numbers(name: str, arguments: Arguments) -> Node:
    if not arguments and name in PARTS:
        return OfNumbers(name, AsVector(Now()))
    return OfNumbers(name, arguments[0], tuple(arguments[1:]))


def _texts(arguments: Arguments) -> list[str]:
    texts = [each.value for each in arguments if isinstance(each, Text)]
    if len(texts) != len(arguments):
        raise UnsupportedError("a text was expected")
    return texts


def _replaced(arguments: Arguments) -> Node:
    target, replacement, source, pattern = _texts(arguments[1:])
    return Replaced(arguments[0], target, replacement=replacement, source=source, pattern=pattern)


def _joined(arguments: Arguments) -> Node:
    target, separator, *sources = _texts(arguments[1:])
    return Joined(arguments[0], target, separator=separator, sources=tuple(sources))


_OTHERS: dict[str, Callable[[Arguments], Node]] = {
    "time": lambda _: Now(),
    "pi": lambda _: Number(math.pi),
    "vector": lambda arguments: AsVector(arguments[0]),
    "scalar": lambda arguments: AsScalar(arguments[0]),
    "timestamp": lambda arguments: Timestamp(arguments[0]),
    "absent": lambda arguments: Absent(arguments[0]),
    "absent_over_time": lambda arguments: Absent(arguments[0]),
    "label_replace": _replaced,
    "label_join": _joined,
    "histogram_quantile": lambda arguments: HistogramQuantile(arguments[0], arguments[1]),
}
