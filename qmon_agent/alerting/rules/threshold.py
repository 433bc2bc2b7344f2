"""A value on the wrong side of a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.replicas import Across

from . import About, Fact, Judgement
from ._lines import Lined
from ._measures import check_measure
from ._replicas import Joining, told_by
from ._series import Selector


class ThresholdRule(Lined, kw_only=True, forbid_unknown_fields=True):
    """Compares each series' newest point; without points for `stale_after` it is unknown."""

    metric: str
    """The metric to compare."""
    system: str = ""
    """Only points of this service; empty means each service by itself."""
    where: dict[str, str] = msgspec.field(default_factory=dict)
    """Only points with these attributes."""
    measure: str = "value"
    """What of a point: value, sum, count, minimum, maximum, p50, p95 or p99."""
    stale_after: str | float = "5m"
    """How long without a point until the state is unknown."""
    across: Across = "any"
    """How several instances of a service are judged: any that breaches, one number, or each."""
    _stale_ns: int = 0
    _joining: Joining = Joining()

    def __post_init__(self) -> None:
        check_measure(self.measure)
        self.prepare()
        self._stale_ns = silence = parse_duration(self.stale_after)
        self._joining = Joining(across=self.across, silence=silence, worst=self.worst)

    def about(self) -> About:
        return About(metric=self.metric, policy=self.policy)

    def notice(self, batch: Observed) -> Iterator[Fact]:
        selector = Selector(
            metric=self.metric, system=self.system, where=self.where, across=self.across
        )
        return selector.facts(batch, self.measure)

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        if fact is not None:
            memory = self._joining.remembered(memory, fact, now)
        if not memory or now - memory["seen"] >= self._stale_ns:
            return Judgement(verdict="unknown", memory=memory)
        value, wake = memory["value"], memory["seen"] + self._stale_ns
        return self.compared(value, memory, text=self._text(memory, value), wake=wake)

    def _text(self, memory: Mapping[str, Any], value: float | None) -> str:
        """Whose value it is, where there is more than one who tells it; else the value says it."""
        whose = told_by(memory, value)
        if not whose or value is None:
            return whose
        return f"{self.metric} = {value:g} ({self.threshold}), {whose}"
