"""An error of a kind never seen before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.durations import parse_duration
from qmon_sdk.protocol.signals import Error

from . import About, Fact, Judgement
from ._errors import grouping_of, labels_of, named, resolved_in

SHOWN = 500


class NewErrorRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached by the first error of each grouping of a service, and for `lasts` after it.

    What somebody has resolved is new no more: when it comes again, `regression` tells it.
    """

    system: str = ""
    """Only errors of this service; empty means all."""
    levels: tuple[str, ...] = ("error", "fatal", "critical")
    """Only errors of these levels."""
    lasts: str | float = "5m"
    """How long the incident stays open."""
    _lasts_ns: int = 0

    def __post_init__(self) -> None:
        self._lasts_ns = parse_duration(self.lasts)

    def about(self) -> About:
        return About(signals=("errors",), resolves_quietly=True, resolved_by_hand=True)

    def notice(self, batch: Observed) -> Iterator[Fact]:
        yield from resolved_in(batch.changed, self.system)
        if self.system and batch.service != self.system:
            return
        first: dict[str, Error] = {}
        for error in batch.errors:
            if error.level in self.levels:
                first.setdefault(grouping_of(error), error)
        for grouping, error in first.items():
            yield _fact(batch.service, grouping, error)

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        if fact is not None and fact.detail.get("resolved"):
            memory = {"first": now, **memory, "resolved": now}
        if memory.get("resolved"):
            return Judgement(verdict="clear", memory=memory)
        if not memory:
            if fact is None:
                return Judgement(verdict="unknown", memory=memory)
            memory = {"first": now}
        over = memory["first"] + self._lasts_ns
        if now >= over:
            return Judgement(verdict="clear", memory=memory)
        return Judgement(verdict="breach", memory=memory, wake=over)


def _fact(service: str, grouping: str, error: Error) -> Fact:
    return Fact(
        instance=named(service, grouping),
        event_time=error.time,
        text=f"{error.type}: {error.message[:SHOWN]}",
        labels=labels_of(service, error),
    )
