"""A certificate that ends soon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.durations import parse_duration, print_duration

from . import About, Fact, Judgement
from ._lines import unknown
from ._series import Selector

_HOUR = 3_600 * SECOND


class CertificateExpiryRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached when a certificate that a probe has seen ends soon; when very soon, `critical`."""

    metric: str = "probe.tls.expires_in"
    """The metric that tells how many seconds are left."""
    system: str = "host"
    """The service whose points they are; the agent's probes are of `host`."""
    where: dict[str, str] = {}
    """Only points with these attributes, as of one probe."""
    within: str | float = "14d"
    """When it is to be told."""
    critical_within: str | float = "3d"
    """When it is `critical`."""
    stale_after: str | float = "1d"
    """How long no probe may have seen it; what was seen last is known to go on running out."""
    _times: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        times = map(parse_duration, (self.within, self.critical_within, self.stale_after))
        self._times = (next(times), next(times), next(times))

    def about(self) -> About:
        return About(metric=self.metric)

    def notice(self, batch: Observed) -> Iterator[Fact]:
        selector = Selector(metric=self.metric, system=self.system, where=self.where)
        return selector.facts(batch, "value")

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        if fact is not None and fact.value is not None and abs(fact.value) < 1e10:  # noqa: PLR2004 - some three hundred years; no NaN either
            memory = {"ends": now + round(fact.value * SECOND), "seen": now}
        soon, very_soon, stale = self._times
        if not memory or now - memory["seen"] >= stale:
            return unknown(memory, "no_data")
        left = memory["ends"] - now
        moments = (memory["ends"] - soon, memory["ends"] - very_soon, memory["seen"] + stale)
        return Judgement(
            verdict="breach" if left <= soon else "clear",
            memory=memory,
            wake=min(moment for moment in moments if moment > now),
            value=left / SECOND,
            severity="critical" if left <= very_soon else "",
            text=_told(left) if left <= soon else "",
        )


def _told(left: int) -> str:
    if left <= 0:
        return "the certificate has ended"
    return f"the certificate ends in {print_duration(max(1, round(left / _HOUR)) * _HOUR)}"
