"""An objective whose error budget burns too fast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.burning import PACES, PERIOD_NS, SHORT_BINS, Pace, burn_rate, exhausted_after
from qmon_agent.domain.durations import parse_duration, print_duration
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.point_columns import points_of
from qmon_agent.domain.windows import BINS, Rows, add, total, width_of

from . import About, Fact, Judgement
from ._lines import unknown
from ._series import Counted, group
from ._shares import Counts, shares

_MINUTE = 60_000_000_000
_HOUR = 60 * _MINUTE


class BurnRateRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached when a budget burns too fast in a long window and in the last twelfth of it."""

    bad: Counted
    """What counts against the objective: a metric, and `where`."""
    events: Counted
    """All that happens, the bad included."""
    objective: float
    """The share that is to go well, as 0.999."""
    system: str = ""
    """Only points of this service; empty means each service by itself."""
    per: tuple[str, ...] = ()
    """One instance for each value of these attributes, beside each service."""
    min_events: float = 100
    """A long window with fewer of them says nothing."""
    absent_after: str | float = "15m"
    """How long nothing may happen at all until it is unknown."""
    page_severity: str = "critical"
    """How bad it is when the fast windows burn; the slow ones are as bad as the alert says."""
    _absent_ns: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.objective < 1:
            raise ConfigError("objective", f"{self.objective:g} is not between 0 and 1")
        self._absent_ns = parse_duration(self.absent_after)

    def about(self) -> About:
        return About(metric=self.events.metric, also=(self.bad.metric,))

    def notice(self, batch: Observed) -> Iterator[Fact]:
        if self.system in {"", batch.service}:
            yield from shares(self._counts(batch), batch.time)

    def _counts(self, batch: Observed) -> Iterator[Counts]:
        for metric in dict.fromkeys((self.events.metric, self.bad.metric)):
            for point in points_of(batch.points, metric):
                bad, events = self.bad.amount(point), self.events.amount(point)
                if bad or events:
                    yield group(batch.service, self.per, point.attributes), bad, events

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        windows: list[Rows] = memory.get("windows") or [[] for _ in PACES]
        if fact is not None:
            counts = fact.detail["counts"]
            windows = [
                add(rows, now // width_of(pace.long_ns), counts)
                for rows, pace in zip(windows, PACES, strict=True)
            ]
            memory = {"windows": windows, "seen": now}
        if not memory or now - memory["seen"] >= self._absent_ns:
            return unknown(memory, "sli_absent")
        width = width_of(PACES[0].long_ns)
        wake = min((now // width + 1) * width, memory["seen"] + self._absent_ns)
        paces = list(zip(PACES, windows, strict=True))
        judged = [(pace, *self._rates(pace, rows, now)) for pace, rows in paces]
        if not any(enough for *_, enough in judged):
            return unknown(memory, "too_few_events", wake)
        return self._worst(judged, memory, wake)

    def _rates(self, pace: Pace, rows: Rows, now: int) -> tuple[float, bool]:
        """The lower of both windows' rates, and whether there was enough to tell."""
        at = now // width_of(pace.long_ns)
        counts = [
            (total(rows, at, bins), total(rows, at, bins, column=2)) for bins in (BINS, SHORT_BINS)
        ]
        rate = min(burn_rate(bad, events, self.objective) for bad, events in counts)
        return rate, counts[0][1] >= max(self.min_events, 1)

    def _worst(
        self, judged: list[tuple[Pace, float, bool]], memory: Mapping[str, Any], wake: int
    ) -> Judgement:
        burning = [each for each in judged if each[2] and each[1] > each[0].factor]
        if not burning:
            return Judgement(verdict="clear", memory=memory, wake=wake)
        pace, rate, _ = burning[0]
        return Judgement(
            verdict="breach",
            memory=memory,
            wake=wake,
            value=rate,
            severity=self.page_severity if pace.is_page else "",
            text=f"burns {rate:.3g} times too fast for {print_duration(pace.long_ns)}: "
            f"the whole budget of {print_duration(PERIOD_NS)} lasts {_lasts(rate)}",
        )


def _lasts(rate: float) -> str:
    left = exhausted_after(rate)
    unit = _HOUR if left >= 10 * _HOUR else _MINUTE
    return "for ever" if left == inf else print_duration(round(left / unit) * unit)
