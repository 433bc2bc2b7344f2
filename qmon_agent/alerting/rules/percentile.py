"""A percentile of everything that was measured in a window, not of one point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.sketches import added, joined, moved, pairs_of, sketch_of
from qmon_agent.domain.windows import Rows, within
from qmon_sdk.protocol.buckets import fold, quantile

from . import About, Fact, Judgement
from ._lines import Lined, unknown
from ._series import Selector, group, name_of

BINS = 20
"""Into how many the window is cut; each keeps a sketch."""
_ALL = 100.0


class PercentileRule(Lined, kw_only=True, forbid_unknown_fields=True):
    """Compares a percentile of all that was measured in a window, within 2 % of the true one."""

    metric: str
    """The metric: a distribution, or a gauge whose values are taken one by one."""
    system: str = ""
    """Only points of this service; empty means each service by itself."""
    where: dict[str, str] = msgspec.field(default_factory=dict)
    """Only points with these attributes."""
    per: tuple[str, ...] = ()
    """One instance for each value of these attributes, beside each service."""
    percentile: float = 95.0
    """Which one, from 0 to 100."""
    window: str | float = "5m"
    """How far back is measured."""
    min_events: float = 20
    """With fewer of them nothing is known, and nothing resolved."""
    _width_ns: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.percentile <= _ALL:
            raise ConfigError("percentile", f"{self.percentile:g} is not from 0 to 100")
        if 0 < self.percentile < 1:
            reason = f"is in percent, from 0 to 100: did you mean {100 * self.percentile:g}?"
            raise ConfigError("percentile", reason)
        self.prepare()
        self._width_ns = max(1, parse_duration(self.window) // BINS)

    def about(self) -> About:
        return About(metric=self.metric, policy=self.policy)

    def notice(self, batch: Observed) -> Iterator[Fact]:
        selector = Selector(metric=self.metric, system=self.system, where=self.where)
        parts: dict[str, tuple[dict[str, str], list[dict[int, int]]]] = {}
        for point in selector.points(batch):
            labels = group(batch.service, self.per, point.attributes)
            parts.setdefault(name_of(labels), (labels, []))[1].append(sketch_of(point))
        for name, (labels, sketches) in parts.items():
            whole = fold(sketches) if len(sketches) > 1 else sketches[0]
            told = {"sketch": pairs_of(whole)}
            yield Fact(instance=name, labels=labels, event_time=batch.time, detail=told)

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        at = now // self._width_ns
        rows = memory.get("rows", [])
        if fact is not None:
            rows = added(rows, at, fact.detail["sketch"], keep=BINS)
        rows = within(rows, at, BINS)
        running = rows[-1:] if rows and rows[-1][0] >= at else []
        # What the bins before this one hold is put together once for all points of this one.
        past = memory["past"] if memory.get("at") == at else _past(memory, rows, at)
        memory = {**memory, "rows": rows, "at": at, "past": past}
        wake = (at + 1) * self._width_ns if rows else None
        whole = joined(running, past=past)
        events = sum(whole.values())
        if events < max(self.min_events, 1):
            return unknown(memory, "too_few_events", wake)
        value = quantile(whole, self.percentile / _ALL)
        text = f"p{self.percentile:g} is {value:.4g} (of {events:.0f})"
        return self.compared(value, memory, wake=wake, text=text)


def _past(memory: Mapping[str, Any], rows: Rows, at: int) -> list[int]:
    """What the bins before this one hold, of what those before another held if that is near."""
    was, before = memory.get("at", at), memory.get("rows", ())
    if was < at < was + BINS:
        came = [row for row in before if was <= row[0] < at]
        went = [row for row in before if row[0] <= at - BINS]
        past = moved(memory["past"], came=came, went=went)
        if past is not None:
            return past
    return pairs_of(joined([row for row in rows if row[0] < at]))
