"""A value that is unusual for this hour of the week."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, Literal

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.baselines import Guard, Usual, is_odd, learned, usual
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.incidents import Policy
from qmon_agent.domain.votes import Ballot

from . import About, Fact, Judgement
from ._lines import unknown
from ._measures import check_measure
from ._series import Selector


class AnomalyRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached when 3 of 5 points are far from what is usual; an hour is known after two weeks."""

    metric: str
    """The metric to get to know."""
    system: str = ""
    """Only points of this service; empty means each service by itself."""
    where: dict[str, str] = {}
    """Only points with these attributes."""
    measure: str = "value"
    """What of a point: value, sum, count, minimum, maximum, p50, p95 or p99."""
    sensitivity: float = 4.0
    """How many standard deviations from what is usual are too many."""
    min_change: float = 0.0
    """How far off it has to be at least, in the metric's own unit."""
    min_percent: float = 20.0
    """How far off it has to be at least, in percent of what is usual."""
    direction: Literal["above", "below", "both"] = "both"
    """On which side it counts."""
    min_samples: int = 100
    """With fewer points in all, nothing is known."""
    stale_after: str | float = "5m"
    """How long without a point until the state is unknown."""
    _guard: Guard = Guard()
    _stale_ns: int = 0

    def __post_init__(self) -> None:
        check_measure(self.measure)
        self._guard = Guard(
            sensitivity=self.sensitivity,
            min_change=self.min_change,
            min_percent=self.min_percent,
            direction=self.direction,
        )
        self._stale_ns = parse_duration(self.stale_after)

    def about(self) -> About:
        return About(metric=self.metric, policy=Policy(ballot=Ballot(need=3, of=5)))

    def notice(self, batch: Observed) -> Iterator[Fact]:
        selector = Selector(metric=self.metric, system=self.system, where=self.where)
        return selector.facts(batch, self.measure)

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        if fact is not None and fact.value is not None and isfinite(fact.value):
            memory = self._met(memory, fact.value, now)
        if not memory or now - memory["seen"] >= self._stale_ns:
            return unknown(memory, "no_data")
        wake = memory["seen"] + self._stale_ns
        if memory["n"] < max(2, self.min_samples):
            return unknown(memory, "too_few_points", wake)
        odd = memory["odd"]
        text = f"{memory['value']:.4g} where {odd:.4g} is usual" if odd is not None else ""
        verdict: Literal["breach", "clear"] = "breach" if text else "clear"
        return Judgement(verdict=verdict, memory=memory, wake=wake, text=text)

    def _met(self, memory: Mapping[str, Any], value: float, now: int) -> dict[str, Any]:
        """Compare with what was known before, and only then learn from it."""
        expected: Usual | None = usual(memory, now) if memory else None
        is_strange = expected is not None and is_odd(value, expected, self._guard)
        odd = expected.middle if expected and is_strange else None
        after = learned(memory, value, now, guard=self._guard)
        return {**after, "seen": now, "value": value, "odd": odd}
