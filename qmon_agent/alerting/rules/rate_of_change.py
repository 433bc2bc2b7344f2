"""A value that changes too fast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, Literal

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.changes import Samples, change_of, grown_of, percent_of
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.windows import BINS, width_of, within

from . import About, Fact, Judgement
from ._lines import Lined, unknown
from ._measures import check_measure
from ._replicas import Joining
from ._series import Selector


class RateOfChangeRule(Lined, kw_only=True, forbid_unknown_fields=True):
    """Compares how much a series has changed in a window: absolutely per `per`, or in percent."""

    metric: str
    """The metric that changes."""
    system: str = ""
    """Only points of this service; empty means each service by itself."""
    where: dict[str, str] = msgspec.field(default_factory=dict)
    """Only points with these attributes."""
    measure: str = "value"
    """What of a point: value, sum, count, minimum, maximum, p50, p95 or p99."""
    mode: Literal["absolute", "percent"] = "absolute"
    """Whether the change is compared as it is, or in percent of what was before."""
    window: str | float = "5m"
    """How far back the change is looked for."""
    per: str | float = ""
    """An absolute change is told per this time; empty: per window."""
    totals: bool = False
    """Whether a gauge tells totals that only grow: where they fall, they have begun anew."""
    stale_after: str | float = "5m"
    """How long without a point until the state is unknown."""
    across: Literal["avg", "sum", "min", "max", "each"] = "avg"
    """What changes where several instances tell a gauge: one number of all, or each."""
    _joining: Joining = Joining()
    _times: tuple[int, int, int] = (1, 1, 1)

    def __post_init__(self) -> None:
        check_measure(self.measure)
        self.prepare()
        window = parse_duration(self.window)
        self._times = window, parse_duration(self.per) or window, parse_duration(self.stale_after)
        self._joining = Joining(across=self.across, silence=self._times[-1])

    def about(self) -> About:
        return About(metric=self.metric, policy=self.policy)

    def notice(self, batch: Observed) -> Iterator[Fact]:
        selector = Selector(
            metric=self.metric, system=self.system, where=self.where, across=self.across
        )
        kinds = {point.kind for point in selector.points(batch)}
        told = {"told": "growth" if kinds == {"counter"} else "totals" if self.totals else "value"}
        for fact in selector.facts(batch, self.measure):
            yield Fact(
                instance=fact.instance,
                value=fact.value,
                event_time=fact.event_time,
                labels=fact.labels,
                replica=fact.replica,
                began=fact.began,
                detail=told,
            )

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        window, per, stale = self._times
        width = width_of(window)
        if fact is not None:
            memory = self._remember(memory, fact, now)
        if not memory or now - memory["seen"] >= stale:
            return unknown(memory, "no_data")
        seen = within(memory["rows"], now // width, BINS + 1)
        samples = Samples(rows=seen, told=memory["told"], span=window)
        value = percent_of(samples) if self.mode == "percent" else change_of(samples, per)
        wake = memory["seen"] + stale
        if value is None:
            return unknown(memory, "too_few_points", wake)
        unit = " %" if self.mode == "percent" else ""
        return self.compared(value, memory, wake=wake, text=f"changed by {value:.4g}{unit}")

    def _remember(self, memory: Mapping[str, Any], fact: Fact, now: int) -> dict[str, Any]:
        told, value = fact.detail["told"], fact.value or 0.0
        after = {**memory}
        if fact.replica and isfinite(value):
            if told == "totals":
                # Totals of several instances are no total: what each has grown is added up.
                told, (value, after) = "growth", self._joining.grown(memory, fact, now)
            elif told == "value":
                value, after = self._joining.told(memory, fact, now)
        before = memory.get("rows", []) if _is_of_a_kind(memory.get("told"), told) else []
        at = now // width_of(self._times[0])
        rows = grown_of(before, (at, now, value), told=told, keep=BINS + 1)
        return {**after, "seen": now, "told": told, "rows": rows}


def _is_of_a_kind(one: str | None, other: str) -> bool:
    """Totals go on as what they have grown: their rows have a running total, too."""
    return one == other or (one == "totals" and other == "growth")
