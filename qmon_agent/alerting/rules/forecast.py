"""When a value will cross a line, if it goes on like this: the disk that is full in four hours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf, isfinite
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.durations import parse_duration, print_duration
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.fitting import fitted, time_until
from qmon_agent.domain.incidents import Policy
from qmon_agent.domain.replicas import Across
from qmon_agent.domain.thresholds import Threshold, parse_threshold
from qmon_agent.domain.windows import BINS, put, width_of, within

from . import About, Fact, Judgement
from ._lines import unknown
from ._measures import check_measure
from ._replicas import Joining
from ._series import Selector

_MINUTE = 60 * SECOND
_LINES = (">", ">=", "<", "<=")


class ForecastRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached when a straight line through a window crosses the line within a time."""

    metric: str
    """The metric to look ahead of."""
    threshold: str | float
    """The line that must not be crossed, as `> 0.95`; a bare number means at least."""
    system: str = ""
    """Only points of this service; empty means each service by itself."""
    where: dict[str, str] = msgspec.field(default_factory=dict)
    """Only points with these attributes."""
    measure: str = "value"
    """What of a point: value, sum, count, minimum, maximum, p50, p95 or p99."""
    within: str | float = "4h"
    """How far ahead is looked."""
    clear_within: str | float = ""
    """It is over when it is farther off than this; empty: than `within`."""
    window: str | float = "1h"
    """How far back the line is drawn through."""
    min_samples: int = 10
    """With fewer of them, or half a window without any, nothing is known."""
    min_fit: float = 0.7
    """How much of what varies the line has to explain, R² from 0 to 1, to be a line at all."""
    stale_after: str | float = "5m"
    """How long without a point until the state is unknown."""
    across: Across = "any"
    """What is looked ahead of where there are several instances: the one nearest to the line, one
    number of all, or each."""
    _joining: Joining = Joining()
    _line: Threshold = Threshold(bound=0.0)
    _times: tuple[int, int, int, int] = (1, 1, 1, 1)

    def __post_init__(self) -> None:
        check_measure(self.measure)
        self._line = parse_threshold(self.threshold)
        if self._line.operator not in _LINES:
            raise ConfigError("threshold", f"nothing comes nearer to {self._line}", _LINES)
        ahead, back = parse_duration(self.within), parse_duration(self.window)
        over = max(ahead, parse_duration(self.clear_within))
        self._times = ahead, over, back, parse_duration(self.stale_after)
        worst = max if self._line.operator[0] == ">" else min
        self._joining = Joining(across=self.across, silence=self._times[-1], worst=worst)

    def about(self) -> About:
        hold = Policy(for_ns=self._line.for_ns, keep_firing_ns=self._line.keep_firing_ns)
        return About(metric=self.metric, policy=hold)

    def notice(self, batch: Observed) -> Iterator[Fact]:
        selector = Selector(
            metric=self.metric, system=self.system, where=self.where, across=self.across
        )
        return selector.facts(batch, self.measure)

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        _, _, back, stale = self._times
        at = now // width_of(back)
        if fact is not None and fact.value is not None and isfinite(fact.value):
            value, memory = self._joining.told(memory, fact, now)
            memory |= {"rows": put(memory.get("rows", []), at, (now, value)), "seen": now}
        if not memory or now - memory["seen"] >= stale:
            return unknown(memory, "no_data")
        rows, wake = within(memory["rows"], at, BINS), memory["seen"] + stale
        if len(rows) < self.min_samples or 2 * (rows[-1][1] - rows[0][1]) < back:
            return unknown(memory, "too_few_points", wake)
        # A line through sixty points is laid anew with each bin, not with each point.
        if memory.get("fitted") != at:
            left = self._left([row[1] for row in rows], [row[2] for row in rows])
            memory = {**memory, "fitted": at, "left": left if isfinite(left) else None}
        return self._judged(memory, wake)

    def _left(self, times: list[float], values: list[float]) -> float:
        """How long until the line is crossed."""
        trend = fitted(times, values)
        heads_there = self._line.crossed_by(self._line.bound + trend.slope * 10**20)
        if trend.fit < self.min_fit or not heads_there:
            return inf
        return time_until(trend, self._line.bound)

    def _judged(self, memory: Mapping[str, Any], wake: int) -> Judgement:
        ahead, over, *_ = self._times
        left = inf if memory["left"] is None else memory["left"]
        if self._line.crossed_by(memory["rows"][-1][2]):
            left = 0.0
        held = left <= (over if memory.get("held") else ahead)
        return Judgement(
            verdict="breach" if held else "clear",
            memory={**memory, "held": held} if held != memory.get("held", False) else memory,
            wake=wake,
            value=memory["rows"][-1][2],
            text=self._told(left) if held else "",
        )

    def _told(self, left: float) -> str:
        if not left:
            return f"has crossed {self._line.bound:g}"
        ahead = print_duration(round(left / _MINUTE) * _MINUTE)
        return f"will cross {self._line.bound:g} in {ahead}"
