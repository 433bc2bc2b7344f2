"""How many users met an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.distinct import estimate, mark_of, smallest
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.windows import put, within
from qmon_sdk.protocol.signals import Error

from . import About, Fact, Judgement
from ._lines import Lined
from ._series import group, name_of

BINS = 12
"""Into how many the window is cut; each keeps a sketch of who it was."""


class UsersAffectedRule(Lined, kw_only=True, forbid_unknown_fields=True):
    """Compares how many different users had an error in a window; exactly, while they are few."""

    system: str = ""
    """Only errors of this service; empty means each service by itself."""
    levels: tuple[str, ...] = ("error", "fatal", "critical")
    """Only errors of these levels."""
    per: tuple[str, ...] = ()
    """One instance for each of these of an error: `type`, `culprit`, `grouping`, an attribute."""
    window: str | float = "1h"
    """How far back is counted."""
    _width_ns: int = 1

    def __post_init__(self) -> None:
        self.prepare()
        self._width_ns = max(1, parse_duration(self.window) // BINS)

    def about(self) -> About:
        return About(signals=("errors",), policy=self.policy)

    def notice(self, batch: Observed) -> Iterator[Fact]:
        if self.system not in {"", batch.service}:
            return
        found: dict[str, tuple[dict[str, str], list[int]]] = {}
        for error in batch.errors:
            if error.level in self.levels and error.user_id:
                labels = group(batch.service, self.per, _said(error))
                found.setdefault(name_of(labels), (labels, []))[1].append(mark_of(error.user_id))
        for name, (labels, marks) in found.items():
            told = {"users": smallest(marks)}
            yield Fact(instance=name, labels=labels, event_time=batch.time, detail=told)

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        at = now // self._width_ns
        rows = within(memory.get("rows", []), at, BINS)
        if fact is not None:
            now_in = rows[-1][1:] if rows and rows[-1][0] >= at else ()
            rows = put(rows, at, smallest([*fact.detail["users"], *map(int, now_in)]), keep=BINS)
        memory = {**memory, "rows": rows}
        wake = (at + 1) * self._width_ns if rows else None
        users = estimate(smallest(int(mark) for row in rows for mark in row[1:]))
        return self.compared(users, memory, wake=wake, text=f"{users:.0f} users had errors")


def _said(error: Error) -> dict[str, str]:
    own = {"type": error.type, "culprit": error.culprit, "grouping": error.grouping}
    return {**error.attributes, **own}
