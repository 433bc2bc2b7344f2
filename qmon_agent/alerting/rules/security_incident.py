"""Security events that come too often of one user or from one address, or even once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.catalog import SEVERITIES
from qmon_agent.domain.durations import parse_duration, print_duration
from qmon_agent.domain.errors import ConfigError, nearest_to
from qmon_agent.domain.security_words import Happened, named_in, told_in
from qmon_agent.domain.windows import BINS, add, total, width_of, within

from . import About, Fact, Judgement
from ._series import name_of

_LIMITS: dict[str, int] = {
    "authn_login_fail": 10,
    "authn_login_fail_max": 1,
    "authn_impossible_travel": 1,
    "authn_token_reuse": 1,
    "authz_fail": 10,
    "session_use_after_expire": 10,
    "input_validation_fail": 50,
    "malicious_*": 10,
}
_BY = ("source", "user")


class SecurityIncidentRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached while security events of OWASP's vocabulary come too often of one user or source."""

    limits: dict[str, int] = msgspec.field(default_factory=_LIMITS.copy)
    """Name of an event, `*` standing for anything → how often in the window is too often."""
    system: str = ""
    """Only what this service tells; empty means each service by itself."""
    by: tuple[str, ...] = _BY
    """What is counted by: `source`, the address it came from, and `user`, each by itself."""
    window: str | float = "10m"
    """How far back is counted."""
    page_severity: str = "critical"
    """How bad an incident is."""
    _width_ns: int = 1

    def __post_init__(self) -> None:
        self._width_ns = width_of(parse_duration(self.window))
        for name, limit in self.limits.items():
            if limit < 1:
                raise ConfigError(f"limits.{name}", "has to be once at least")
        for name in self.by:
            if name not in _BY:
                raise ConfigError(
                    "by", f"nothing is counted by {name!r}", nearest_to(name, _BY) or _BY
                )
        if self.page_severity not in SEVERITIES:
            known = nearest_to(self.page_severity, SEVERITIES) or SEVERITIES
            raise ConfigError("page_severity", f"no severity {self.page_severity!r}", known)

    def about(self) -> About:
        return About(signals=("events", "logs"))

    def notice(self, batch: Observed) -> Iterator[Fact]:
        if self.system not in {"", batch.service}:
            return
        found: dict[str, tuple[dict[str, str], int]] = {}
        for happened in _happened(batch):
            if limit := self._limit_of(happened.name):
                for labels in self._counted_by(batch.service, happened):
                    name = name_of(labels)
                    found[name] = labels, found.get(name, (labels, 0))[1] + 1
        for name, (labels, times) in found.items():
            limit = self._limit_of(labels["event"])
            yield Fact(
                instance=name,
                labels=labels,
                event_time=batch.time,
                detail={"times": times, "limit": limit, "text": _text(labels)},
            )

    def _limit_of(self, name: str) -> int:
        """The limit of exactly this name, or else of the first pattern; 0 where there is none."""
        if name in self.limits:
            return self.limits[name]
        fits = (limit for like, limit in self.limits.items() if fnmatchcase(name, like))
        return next(fits, 0)

    def _counted_by(self, service: str, happened: Happened) -> Iterator[dict[str, str]]:
        labels = {"service": service, "event": happened.name}
        said = {name: getattr(happened, name) for name in self.by}
        if not any(said.values()):
            yield labels
        for name, value in said.items():
            if value:
                yield {**labels, name: value}

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        at = now // self._width_ns
        rows = memory.get("rows", [])
        if fact is not None:
            rows = add(rows, at, [fact.detail["times"]])
            memory = {"limit": fact.detail["limit"], "text": fact.detail["text"]}
        rows = within(rows, at, BINS)
        times = total(rows, at, BINS)
        is_too_often = times >= memory.get("limit", 1)
        window = print_duration(self._width_ns * BINS)
        return Judgement(
            verdict="breach" if is_too_often else "clear",
            memory={**memory, "rows": rows},
            wake=(at + 1) * self._width_ns if rows else None,
            value=float(times),
            text=f"{times:.0f} times in {window}: {memory.get('text', '')}",
            severity=self.page_severity if is_too_often else "",
        )


def _happened(batch: Observed) -> Iterator[Happened]:
    for event in batch.events:
        if found := named_in(event.name, event.attributes, event.user_id):
            yield found
    for log in batch.logs:
        if found := told_in(log.body, log.attributes):
            yield found


def _text(labels: Mapping[str, str]) -> str:
    where = f" from {labels['source']}" if "source" in labels else ""
    who = f" of user {labels['user']}" if "user" in labels else ""
    return f"{labels['event']}{where}{who}"
