"""Where values come from: numbers, texts, selectors, and expressions evaluated again and again."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from .evaluation import Moment, Run, Vector
from .labels import Labels
from .tree import LOOKBACK_MS, Node, PromqlError, Selector

MOST_STEPS = 11_000
"""Of a subquery, as many as Prometheus answers of a range."""


class Number(Node):
    """A number as it is written."""

    kind = "scalar"

    def __init__(self, value: float) -> None:
        self.value = value

    def run(self, _moment: Moment) -> float:
        return self.value


class Text(Node):
    """A text, which is an argument of some functions."""

    kind = "string"

    def __init__(self, value: str) -> None:
        self.value = value

    def run(self, _moment: Moment) -> str:
        return self.value


class Instant(Node):
    """`name{...} offset 5m`: the newest sample of each series."""

    def __init__(self, selector: Selector, *, offset: int = 0) -> None:
        self.selector = selector
        self.offset = offset

    def run(self, moment: Moment) -> Vector:
        at = moment.at - self.offset
        lookback = moment.settings.lookback_ms - (not moment.settings.closed)
        found: Vector = {}
        for series in moment.window.selected(self.selector):
            value = series.at(at, lookback)
            if value is not None:
                found[series.labels] = value
        return found

    def times(self, moment: Moment) -> Iterator[tuple[Labels, int]]:
        """When each of those samples was taken."""
        at = moment.at - self.offset
        lookback = moment.settings.lookback_ms - (not moment.settings.closed)
        for series in moment.window.selected(self.selector):
            if series.at(at, lookback) is not None:
                yield series.labels, series.times[series.place(at)]

    def walk(self, reach: int = 0) -> Iterator[tuple[Selector, int]]:
        yield self.selector, reach + self.offset + LOOKBACK_MS


class Range(Node):
    """`name{...}[5m] offset 1m`: all samples of each series in a time."""

    kind = "matrix"

    def __init__(self, selector: Selector, length: int, *, offset: int = 0) -> None:
        self.selector = selector
        self.length = length
        self.offset = offset

    def run(self, moment: Moment) -> list[Run]:
        end = moment.at - self.offset
        start = end - self.length + (not moment.settings.closed)
        return [
            (series.labels, *found)
            for series in moment.window.selected(self.selector)
            if (found := series.between(start, end)) is not None
        ]

    def walk(self, reach: int = 0) -> Iterator[tuple[Selector, int]]:
        yield self.selector, reach + self.offset + self.length


class Subquery(Node):
    """`expr[5m:1m]`: what an expression was, at times that are multiples of the step."""

    kind = "matrix"

    def __init__(self, inner: Node, length: int, *, offset: int = 0, step: int = 0) -> None:
        self.children = (inner,)
        self.length = length
        self.offset = offset
        self.step = step

    def run(self, moment: Moment) -> list[Run]:
        [inner] = self.children
        runs: dict[Labels, tuple[array[int], array[float]]] = {}
        for at in self._steps(moment):
            value = moment.moved(at).value(inner)
            vector: Vector = value if inner.kind == "vector" else _alone(value)
            for labels, number in vector.items():
                if labels not in runs:
                    runs[labels] = array("q"), array("d")
                times, values = runs[labels]
                times.append(at)
                values.append(number)
        return [(labels, times, values, True) for labels, (times, values) in runs.items()]

    def _steps(self, moment: Moment) -> range:
        step = self.step or moment.settings.step_ms
        end = moment.at - self.offset
        start = end - self.length
        if not moment.settings.closed:
            start += 1
        first = -(-start // step) * step
        steps = range(first, end + 1, step)
        if len(steps) > MOST_STEPS:
            raise PromqlError(f"a subquery of more than {MOST_STEPS} steps")
        return steps

    def walk(self, reach: int = 0) -> Iterator[tuple[Selector, int]]:
        for child in self.children:
            yield from child.walk(reach + self.offset + self.length)


def _alone(value: float) -> Vector:
    from .labels import NONE

    return {NONE: value}
