"""A series whose mean has become another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, Literal

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.changepoints import Chart, Shift, charted, limit_for
from qmon_agent.domain.durations import parse_duration

from . import About, Fact, Judgement
from ._lines import unknown
from ._measures import check_measure
from ._series import Selector


class ChangepointRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached by a change of a series' mean, and for `lasts` after it; then the new is usual."""

    metric: str
    """The metric to watch for a change."""
    system: str = ""
    """Only points of this service; empty means each service by itself."""
    where: dict[str, str] = {}
    """Only points with these attributes."""
    measure: str = "value"
    """What of a point: value, sum, count, minimum, maximum, p50, p95 or p99."""
    learn: int = 60
    """From how many points the mean is learned first."""
    false_alarm_every: float = 100_000
    """Once in how many points chance alone may be taken for a change."""
    min_change: float = 0.0
    """How large the change has to be at least, in the metric's own unit."""
    min_percent: float = 20.0
    """How large it has to be at least, in percent of the mean before."""
    direction: Literal["above", "below", "both"] = "both"
    """Which changes count: to more, to less, or both."""
    lasts: str | float = "1h"
    """How long the incident stays open."""
    _limit: float = 0.0
    _lasts_ns: int = 0

    def __post_init__(self) -> None:
        check_measure(self.measure)
        self._limit = limit_for(self.false_alarm_every)
        self._lasts_ns = parse_duration(self.lasts)

    def about(self) -> About:
        return About(metric=self.metric)

    def notice(self, batch: Observed) -> Iterator[Fact]:
        selector = Selector(metric=self.metric, system=self.system, where=self.where)
        return selector.facts(batch, self.measure)

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        if fact is not None and fact.value is not None and isfinite(fact.value):
            memory = self._charted(memory, fact.value, now)
        if not memory:
            return unknown(memory, "no_data")
        over = memory["changed"] + self._lasts_ns
        if memory["changed"] and now < over:
            text = f"the mean went from {memory['before']:.4g} to {memory['after']:.4g}"
            return Judgement(verdict="breach", memory=memory, wake=over, text=text)
        if memory["n"] < self.learn:
            return unknown(memory, "too_few_points")
        return Judgement(verdict="clear", memory=memory)

    def _charted(self, memory: Mapping[str, Any], value: float, now: int) -> dict[str, Any]:
        before = msgspec.convert(memory["chart"], Chart) if memory else Chart()
        chart, shift = charted(before, value, learn=max(2, self.learn), limit=self._limit)
        known = memory or {"changed": 0, "before": 0.0, "after": 0.0}
        if shift and self._counts(shift):
            known = {"changed": now, "before": shift.before, "after": shift.after}
        # A chart that begins anew goes on from what was learned, as far as being known goes.
        n = max(chart.n, self.learn if shift else memory.get("n", 0))
        return {**known, "chart": msgspec.to_builtins(chart), "n": n}

    def _counts(self, shift: Shift) -> bool:
        by = shift.after - shift.before
        if self.direction != "both" and (by > 0) != (self.direction == "above"):
            return False
        return abs(by) >= max(self.min_change, self.min_percent / 100 * abs(shift.before))
