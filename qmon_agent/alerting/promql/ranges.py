"""Functions of all samples in a time: what a counter grew, what a gauge did."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import msgspec

from .arithmetic import divide
from .evaluation import Moment, Run, Vector, gathered
from .labels import NAMELESS
from .leaves import Range, Subquery
from .statistics import deviation, greatest, least, mean, quantile, regression, total, variance
from .tree import Node

_NEARLY = 1.1
"""How many usual distances to a bound count as reaching it."""


class Span(msgspec.Struct, frozen=True):
    """What a function is told beside the samples: range, moment, and other arguments."""

    start: int
    end: int
    at: int
    arguments: tuple[float, ...]
    closed: bool

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / 1000


Function = Callable[[Run, Span], float | None]
"""Of one series in a range; None makes no result."""


class OverRange(Node):
    """A function of each series in a range."""

    def __init__(self, name: str, window: Range | Subquery, arguments: tuple[Node, ...]) -> None:
        self.children = (window, *arguments)
        self._length = window.length
        self._offset = window.offset
        self._function = FUNCTIONS[name]
        self._keeps_name = name == "last_over_time"

    def run(self, moment: Moment) -> Vector:
        end = moment.at - self._offset
        span = Span(
            start=end - self._length,
            end=end,
            at=moment.at,
            arguments=tuple(moment.scalar(each) for each in self.children[1:]),
            closed=moment.settings.closed,
        )
        runs: Sequence[Run] = moment.value(self.children[0])
        function, keeps_name = self._function, self._keeps_name
        return gathered(
            (run[0] if keeps_name else run[0].cut(NAMELESS), value)
            for run in runs
            if (value := function(run, span)) is not None
        )


def _growth(values: Sequence[float], *, falls: bool) -> float:
    grown = values[-1] - values[0]
    if falls:
        before = values[0]
        for value in values:
            if value < before:
                grown += before
            before = value
    return grown


def _extrapolated(
    times: Sequence[int], span: Span, *, grown: float, first: float | None
) -> float | None:
    """What it grew in all of the range; `first` is the first value of a counter."""
    sampled = (times[-1] - times[0]) / 1000
    usual = sampled / (len(times) - 1)
    to_start = (times[0] - span.start) / 1000
    to_end = (span.end - times[-1]) / 1000
    to_zero = math.inf
    if first is not None and grown > 0 and first >= 0:
        to_zero = sampled * (first / grown)
    if span.closed:
        to_start = min(to_start, to_zero)
    to_start = to_start if to_start < usual * _NEARLY else usual / 2
    if not span.closed:
        to_start = min(to_start, to_zero)
    to_end = to_end if to_end < usual * _NEARLY else usual / 2
    return grown * ((sampled + to_start + to_end) / sampled)


def increase(run: Run, span: Span) -> float | None:
    """What a counter grew."""
    _, times, values, falls = run
    if len(values) <= 1:
        return None
    grown = _growth(values, falls=falls)
    return _extrapolated(times, span, grown=grown, first=values[0])


def rate(run: Run, span: Span) -> float | None:
    """What a counter grew by second."""
    grown = increase(run, span)
    return None if grown is None else divide(grown, span.seconds)


def delta(run: Run, span: Span) -> float | None:
    """By how much a gauge differs."""
    _, times, values, _falls = run
    if len(values) <= 1:
        return None
    return _extrapolated(times, span, grown=values[-1] - values[0], first=None)


def irate(run: Run, _span: Span) -> float | None:
    """The growth by second between the last two."""
    _, times, values, _falls = run
    if len(values) <= 1:
        return None
    grown = values[-1] if values[-1] < values[-2] else values[-1] - values[-2]
    return grown / ((times[-1] - times[-2]) / 1000)


def idelta(run: Run, _span: Span) -> float | None:
    """The difference between the last two."""
    values = run[2]
    return values[-1] - values[-2] if len(values) > 1 else None


def deriv(run: Run, _span: Span) -> float | None:
    """The slope of the line through all."""
    _, times, values, _falls = run
    return regression(times, values, origin=times[0])[0] if len(values) > 1 else None


def predict(run: Run, span: Span) -> float | None:
    """Where that line will be in so many seconds."""
    _, times, values, _falls = run
    if len(values) <= 1:
        return None
    slope, now = regression(times, values, origin=span.at)
    return slope * span.arguments[0] + now


def _changes(values: Sequence[float]) -> float:
    pairs = itertools.pairwise(values)
    return float(sum(a != b and not (math.isnan(a) and math.isnan(b)) for a, b in pairs))


def _resets(values: Sequence[float]) -> float:
    return float(sum(b < a for a, b in itertools.pairwise(values)))


def _of_values(fold: Callable[[Sequence[float]], float]) -> Function:
    return lambda run, _span: fold(run[2])


def _quantile(run: Run, span: Span) -> float:
    return quantile(span.arguments[0], run[2])


FUNCTIONS: dict[str, Function] = {
    "rate": rate,
    "increase": increase,
    "delta": delta,
    "irate": irate,
    "idelta": idelta,
    "deriv": deriv,
    "predict_linear": predict,
    "changes": _of_values(_changes),
    "resets": _of_values(_resets),
    "avg_over_time": _of_values(mean),
    "min_over_time": _of_values(least),
    "max_over_time": _of_values(greatest),
    "sum_over_time": _of_values(total),
    "count_over_time": _of_values(lambda values: float(len(values))),
    "last_over_time": _of_values(lambda values: values[-1]),
    "stddev_over_time": _of_values(deviation),
    "stdvar_over_time": _of_values(variance),
    "present_over_time": _of_values(lambda _: 1.0),
    "quantile_over_time": _quantile,
}
