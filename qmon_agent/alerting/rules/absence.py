"""A metric that should come and does not: the heartbeat of whatever sends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.durations import parse_duration

from . import About, Fact, Judgement
from ._series import Selector, series


class AbsenceRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached when no point of the metric came for `after`; a named system is expected at once."""

    metric: str
    """The metric that should keep coming."""
    system: str = ""
    """The service it should come from; empty means any, once it was seen."""
    where: dict[str, str] = {}
    """Only points with these attributes."""
    after: str | float = "5m"
    """How long its silence may last."""
    _after_ns: int = 0

    def __post_init__(self) -> None:
        self._after_ns = parse_duration(self.after)

    def about(self) -> About:
        return About(metric=self.metric, expected=(self._fact(self.system),) if self.system else ())

    def notice(self, batch: Observed) -> Iterator[Fact]:
        selector = Selector(metric=self.metric, system=self.system, where=self.where)
        newest = max((point.time for point in selector.points(batch)), default=None)
        if newest is not None:
            yield self._fact(batch.service, newest)

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        if fact is not None or not memory:
            memory = {"seen": now}
        due = memory["seen"] + self._after_ns
        if now >= due:
            return Judgement(verdict="breach", memory=memory)
        return Judgement(verdict="clear", memory=memory, wake=due)

    def _fact(self, service: str, newest: int = 0) -> Fact:
        name, labels = series(service, self.where)
        return Fact(instance=name, event_time=newest, labels=labels)
