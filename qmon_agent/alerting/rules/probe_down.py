"""Something that is probed and does not answer as it should."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.point_columns import points_of
from qmon_sdk.protocol.signals import Point

from . import About, Fact, Judgement
from ._lines import unknown
from ._series import series

_UP, _FAILURES = "probe.up", "probe.failures"


class ProbeDownRule(Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached while a probe says that it is down; of what nobody could ask, nothing is known."""

    system: str = "host"
    """The service whose points the probes' are; the agent's are of `host`."""
    probe: str = "*"
    """Only probes of this name; `*` and `?` stand for anything."""
    kinds: tuple[str, ...] = ()
    """Only probes of these kinds, as `http`; empty means all."""
    stale_after: str | float = "15m"
    """How long without an outcome until the state is unknown."""
    _stale_ns: int = 0

    def __post_init__(self) -> None:
        self._stale_ns = parse_duration(self.stale_after)

    def about(self) -> About:
        return About(metric=_UP, beside=(_FAILURES,))

    def notice(self, batch: Observed) -> Iterator[Fact]:
        if batch.service != self.system:
            return
        why = {
            point.attributes.get("probe.name", ""): point.attributes.get("error.type", "")
            for point in points_of(batch.points, _FAILURES)
        }
        for point in points_of(batch.points, _UP):
            probe = point.attributes.get("probe.name", "")
            if self._is_meant(point, probe):
                name, labels = series(batch.service, point.attributes)
                told = {"why": why.get(probe, "")}
                yield Fact(
                    instance=name,
                    value=point.value,
                    event_time=point.time,
                    labels=labels,
                    detail=told,
                )

    def _is_meant(self, point: Point, probe: str) -> bool:
        kind = point.attributes.get("probe.kind", "")
        return fnmatchcase(probe, self.probe) and (not self.kinds or kind in self.kinds)

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        if fact is not None:
            memory = {
                "up": fact.value,
                "seen": now,
                "why": fact.detail["why"] or memory.get("why", ""),
                "what": fact.labels.get("probe.target", ""),
            }
        if not memory or now - memory["seen"] >= self._stale_ns:
            return unknown(memory, "no_data")
        wake = memory["seen"] + self._stale_ns
        up = memory["up"]
        if up is None or up != up:  # noqa: PLR0124 - NaN, which comes back from JSON as nothing
            return unknown(memory, "not_a_number", wake)
        if up >= 1:
            return Judgement(verdict="clear", memory={**memory, "why": ""}, wake=wake)
        said = ": ".join(filter(None, (f"{memory['what']} is down".strip(), memory["why"])))
        return Judgement(verdict="breach", memory=memory, wake=wake, text=said)
