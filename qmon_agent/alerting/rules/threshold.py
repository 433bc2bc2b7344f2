"""A value on the wrong side of a line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError, nearest_to
from qmon_agent.domain.incidents import Policy, Verdict
from qmon_agent.domain.thresholds import Threshold, parse_threshold
from qmon_sdk.protocol.buckets import quantile
from qmon_sdk.protocol.signals import Point

from . import About, Fact, Judgement
from ._series import Selector, series


def _mean(point: Point) -> float:
    return (
        point.value / point.count if point.kind == "distribution" and point.count else point.value
    )


def _quantile(point: Point, q: float) -> float:
    return quantile(point.buckets, q) if point.buckets else _mean(point)


MEASURES: dict[str, Callable[[Point], float]] = {
    "value": _mean,
    "sum": lambda point: point.value,
    "count": lambda point: float(point.count),
    "minimum": lambda point: point.minimum,
    "maximum": lambda point: point.maximum,
    "p50": partial(_quantile, q=0.5),
    "p95": partial(_quantile, q=0.95),
    "p99": partial(_quantile, q=0.99),
}
"""What of a point is compared; `value` is a gauge's value, a counter's delta, a mean otherwise."""


class ThresholdRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Compares each series' newest point; without points for `stale_after` it is unknown."""

    metric: str
    """The metric to compare."""
    threshold: str | float
    """The line, as `> 0.5 for 10s`; a bare number means at least."""
    system: str = ""
    """Only points of this service; empty means each service by itself."""
    where: dict[str, str] = {}
    """Only points with these attributes."""
    measure: str = "value"
    """What of a point: value, sum, count, minimum, maximum, p50, p95 or p99."""
    stale_after: str | float = "5m"
    """How long without a point until the state is unknown."""
    _line: Threshold = Threshold(bound=0.0)
    _stale_ns: int = 0

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            known = nearest_to(self.measure, MEASURES) or tuple(MEASURES)
            raise ConfigError("measure", f"no measure {self.measure!r}", known)
        self._line = parse_threshold(self.threshold)
        self._stale_ns = parse_duration(self.stale_after)

    def about(self) -> About:
        hold = Policy(for_ns=self._line.for_ns, keep_firing_ns=self._line.keep_firing_ns)
        return About(metric=self.metric, policy=hold)

    def notice(self, batch: Observed) -> Iterator[Fact]:
        measure = MEASURES[self.measure]
        selector = Selector(metric=self.metric, system=self.system, where=self.where)
        for point in selector.points(batch):
            name, labels = series(batch.service, point.attributes)
            yield Fact(instance=name, value=measure(point), event_time=point.time, labels=labels)

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        if fact is not None:
            memory = {"value": fact.value, "seen": now}
        if not memory or now - memory["seen"] >= self._stale_ns:
            return Judgement(verdict="unknown", memory=memory)
        value = memory["value"]
        # NaN comes back from JSON as nothing.
        if value is None or math.isnan(value):
            return Judgement(verdict="unknown", memory=memory, reason="not_a_number")
        verdict: Verdict = "breach" if self._line.crossed_by(value) else "clear"
        return Judgement(verdict=verdict, memory=memory, wake=memory["seen"] + self._stale_ns)
