"""Alerts that somebody else's rules have found, as incidents of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.catalog import SEVERITIES
from qmon_agent.domain.errors import ConfigError, nearest_to
from qmon_agent.domain.point_columns import points_of

from . import About, Fact, Judgement
from ._series import Selector

_FIRING, _VALID_UNTIL = "alert.firing", "alert.valid_until"
_FINGERPRINT, _SUMMARY = "alert.fingerprint", "alert.summary"
_SECOND_NS = 1_000_000_000
_SEVERITIES = {
    "critical": "critical",
    "page": "critical",
    "error": "critical",
    "warning": "warning",
    "info": "info",
}


class ReceivedRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached while an alert of Prometheus or Alertmanager fires; each alert is an instance."""

    system: str = ""
    """Only alerts about this service; empty means all."""
    where: dict[str, str] = {}
    """Only alerts with these labels."""
    expires: bool = False
    """Whether an alert that is not told again in time is over, as Alertmanager has it."""

    severities: dict[str, str] = msgspec.field(default_factory=_SEVERITIES.copy)
    """How bad an incident is, by the label `severity` of its alert; others are as bad as ours."""

    def __post_init__(self) -> None:
        for said, severity in self.severities.items():
            if severity not in SEVERITIES:
                known = nearest_to(severity, SEVERITIES) or SEVERITIES
                raise ConfigError(f"severities.{said}", f"no severity {severity!r}", known)

    def about(self) -> About:
        return About(metric=_FIRING, beside=(_VALID_UNTIL,))

    def notice(self, batch: Observed) -> Iterator[Fact]:
        vouched = {
            point.attributes.get(_FINGERPRINT, ""): point
            for point in points_of(batch.points, _VALID_UNTIL)
        }
        selector = Selector(metric=_FIRING, system=self.system, where=self.where)
        for point in selector.points(batch):
            labels = dict(point.attributes)
            fingerprint = labels.pop(_FINGERPRINT, "")
            beside = vouched.get(fingerprint)
            summary = beside.attributes.get(_SUMMARY, "") if beside else ""
            until = beside.value if beside else 0.0
            title = labels.get("alertname", "alert")
            yield Fact(
                instance=f"{batch.service}/{fingerprint}",
                value=point.value,
                event_time=point.time,
                text=f"{title}: {summary}" if summary else title,
                labels={"service": batch.service, **labels},
                severity=self.severities.get(labels.get("severity", "").lower(), ""),
                detail={"until": int(until * _SECOND_NS) if 0 < until < 1 << 33 else 0},
            )

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        if fact is not None:
            memory = {"firing": bool(fact.value), "until": fact.detail.get("until", 0)}
        if not memory:
            return Judgement(verdict="unknown", memory=memory)
        if not memory["firing"]:
            return Judgement(verdict="clear", memory=memory)
        until = memory["until"]
        if not until or now < until:
            return Judgement(verdict="breach", memory=memory, wake=until or None)
        if self.expires:
            return Judgement(verdict="clear", memory=memory)
        return Judgement(verdict="unknown", memory=memory, reason="not_told_again")
