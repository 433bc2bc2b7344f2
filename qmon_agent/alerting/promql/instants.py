"""Functions of the newest values: of each number, of labels, of what is not there."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator

from .arithmetic import divide
from .calendar import PARTS
from .evaluation import Moment, Vector, gathered
from .labels import NAMELESS, NONE, Labels, labels_of
from .leaves import Instant, Range
from .patterns import expanded, pattern_of
from .tree import Node, Selector, UnsupportedError

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def _log(log: Callable[[float], float]) -> Callable[[float], float]:
    def of(value: float) -> float:
        if value > 0 or math.isnan(value):
            return log(value)
        return -math.inf if value == 0 else math.nan

    return of


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _finite(whole: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: (
        math.copysign(float(whole(value)), value) if math.isfinite(value) else value
    )


def _sign(value: float) -> float:
    if value > 0:
        return 1.0
    return -1.0 if value < 0 else value


def _domain(of: Callable[[float], float]) -> Callable[[float], float]:
    def safe(value: float) -> float:
        try:
            return of(value)
        except ValueError:
            return math.nan

    return safe


def _lesser(a: float, b: float) -> float:
    return math.nan if math.isnan(a) or math.isnan(b) else min(a, b)


def _larger(a: float, b: float) -> float:
    return math.nan if math.isnan(a) or math.isnan(b) else max(a, b)


def _rounded(value: float, to: float = 1.0) -> float:
    inverse = divide(1.0, to)
    scaled = value * inverse + 0.5
    return divide(math.floor(scaled) if math.isfinite(scaled) else scaled, inverse)


NUMBERS: dict[str, Callable[..., float]] = {
    "abs": abs,
    "ceil": _finite(math.ceil),
    "floor": _finite(math.floor),
    "exp": _exp,
    "ln": _log(math.log),
    "log2": _log(math.log2),
    "log10": _log(math.log10),
    "sqrt": _domain(math.sqrt),
    "sgn": _sign,
    "deg": math.degrees,
    "rad": math.radians,
    "round": _rounded,
    "clamp": lambda value, low, high: _larger(low, _lesser(high, value)),
    "clamp_min": _larger,
    "clamp_max": _lesser,
    "sort": lambda value: value,
    "sort_desc": lambda value: value,
    **PARTS,
}
_KEEPS_NAME = frozenset({"sort", "sort_desc"})


class OfNumbers(Node):
    """A function of each value; some take numbers beside it."""

    def __init__(self, name: str, inner: Node, arguments: tuple[Node, ...] = ()) -> None:
        self.children = (inner, *arguments)
        self._function = NUMBERS[name]
        self._keeps_name = name in _KEEPS_NAME
        self._is_clamp = name == "clamp"

    def run(self, moment: Moment) -> Vector:
        inner, *others = self.children
        function, arguments = self._function, [moment.scalar(each) for each in others]
        vector = moment.vector(inner)
        if self._keeps_name:
            return vector
        if self._is_clamp and arguments[1] < arguments[0]:
            return {}
        return gathered(
            (labels.cut(NAMELESS), function(value, *arguments)) for labels, value in vector.items()
        )


class Now(Node):
    """`time()`."""

    kind = "scalar"

    def run(self, moment: Moment) -> float:
        return moment.at / 1000


class AsVector(Node):
    """`vector(...)`: a number without labels."""

    def __init__(self, inner: Node) -> None:
        self.children = (inner,)

    def run(self, moment: Moment) -> Vector:
        return {NONE: moment.scalar(self.children[0])}


class AsScalar(Node):
    """`scalar(...)`: NaN where there is not exactly one."""

    kind = "scalar"

    def __init__(self, inner: Node) -> None:
        self.children = (inner,)

    def run(self, moment: Moment) -> float:
        vector = moment.vector(self.children[0])
        return next(iter(vector.values())) if len(vector) == 1 else math.nan


class Timestamp(Node):
    """`timestamp(...)`: of a selector when its samples were taken, else now."""

    def __init__(self, inner: Node) -> None:
        self.children = (inner,)

    def run(self, moment: Moment) -> Vector:
        [inner] = self.children
        taken: Iterable[tuple[Labels, int]]
        if isinstance(inner, Instant):
            taken = inner.times(moment)
        else:
            taken = ((labels, moment.at) for labels in moment.vector(inner))
        return gathered((labels.cut(NAMELESS), time / 1000) for labels, time in taken)


class Absent(Node):
    """`absent` and `absent_over_time`: 1 where there is nothing, labelled as what was asked for."""

    def __init__(self, inner: Node) -> None:
        self.children = (inner,)
        selector = inner.selector if isinstance(inner, Instant | Range) else None
        self._labels = labels_of(_said_by(selector)) if selector else NONE

    def run(self, moment: Moment) -> Vector:
        [inner] = self.children
        return {} if moment.value(inner) else {self._labels: 1.0}

    def certain(self) -> Node:
        """That nothing is there, or something, is always known."""
        return Always(self._labels)


class Always(Node):
    """1, with these labels."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels

    def run(self, _moment: Moment) -> Vector:
        return {self._labels: 1.0}


def _said_by(selector: Selector) -> dict[str, str]:
    said: dict[str, str] = {}
    unsure: set[str] = set()
    for matcher in selector.matchers:
        if matcher.operator == "=" and matcher.name not in said:
            said[matcher.name] = matcher.value
        else:
            unsure.add(matcher.name)
    return {name: value for name, value in said.items() if name not in unsure}


class Replaced(Node):
    """`label_replace(v, target, replacement, source, pattern)`."""

    def __init__(
        self, inner: Node, target: str, *, replacement: str, source: str, pattern: str
    ) -> None:
        self.children = (inner,)
        check_label(target)
        self._target = target
        self._replacement = replacement
        self._source = source
        self._pattern = pattern_of(pattern)

    def run(self, moment: Moment) -> Vector:
        return gathered(
            (self._replaced(labels), value)
            for labels, value in moment.vector(self.children[0]).items()
        )

    def _replaced(self, labels: Labels) -> Labels:
        found = self._pattern.fullmatch(labels.get(self._source))
        if found is None:
            return labels
        value = expanded(self._replacement, found)
        return labels_of({**labels.mapping(), self._target: value})


class Joined(Node):
    """`label_join(v, target, separator, source...)`."""

    def __init__(
        self, inner: Node, target: str, *, separator: str, sources: tuple[str, ...]
    ) -> None:
        self.children = (inner,)
        check_label(target)
        self._target = target
        self._separator = separator
        self._sources = sources

    def run(self, moment: Moment) -> Vector:
        return gathered(self._pairs(moment.vector(self.children[0])))

    def _pairs(self, vector: Vector) -> Iterator[tuple[Labels, float]]:
        for labels, value in vector.items():
            joined = self._separator.join(map(labels.get, self._sources))
            yield labels_of({**labels.mapping(), self._target: joined}), value


def check_label(name: str) -> None:
    """Raise UnsupportedError for what is no name of a label."""
    if not _LABEL.fullmatch(name):
        raise UnsupportedError(f"{name!r} is no name of a label")
