"""An error that is known, and comes much more often than it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.escalation import HOURS, limit_of
from qmon_agent.domain.windows import add, within

from . import About, Fact, Judgement
from ._errors import grouping_of, labels_of, named

_HOUR = 3_600 * SECOND


class EscalatingErrorRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached in an hour in which an error passes the limit that its last week has set."""

    system: str = ""
    """Only errors of this service; empty means all."""
    levels: tuple[str, ...] = ("error", "fatal", "critical")
    """Only errors of these levels."""
    min_events: float = 10
    """An hour with fewer of them is never too much."""

    def about(self) -> About:
        return About(signals=("errors",))

    def notice(self, batch: Observed) -> Iterator[Fact]:
        if self.system not in {"", batch.service}:
            return
        meant = [error for error in batch.errors if error.level in self.levels]
        often = Counter(map(grouping_of, meant))
        newest = {grouping_of(error): error for error in meant}
        for grouping, error in newest.items():
            yield Fact(
                instance=named(batch.service, grouping),
                event_time=error.time,
                labels=labels_of(batch.service, error),
                detail={"times": often[grouping]},
            )

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        hour = now // _HOUR
        rows = memory.get("rows", [])
        if fact is not None:
            rows = add(rows, hour, [fact.detail["times"]], keep=HOURS + 1)
        hour = max(hour, int(rows[-1][0])) if rows else hour
        rows = within(rows, hour, HOURS + 1)
        first = memory.get("first", hour)
        memory = {"rows": rows, "first": first}
        counts = {int(row[0]): float(row[1]) for row in rows}
        times = counts.pop(hour, 0.0)
        limit = limit_of([counts.get(at, 0.0) for at in range(max(first, hour - HOURS), hour)])
        is_too_often = times >= self.min_events and times > limit
        text = f"{times:.0f} times this hour, where at most {limit:.0f} are usual"
        return Judgement(
            verdict="breach" if is_too_often else "clear",
            memory=memory,
            wake=(hour + 1) * _HOUR if is_too_often else None,
            value=times,
            text=text if is_too_often else "",
        )
