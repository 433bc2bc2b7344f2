"""What people do with an alert in a test of rules: they resolve it, or acknowledge it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from qmon_agent.alerting.care import Deed
from qmon_agent.alerting.service import AlertService
from qmon_agent.domain.errors import ConfigError, nearest_to
from qmon_agent.domain.incidents import ACTIVE
from qmon_agent.ingest.expected import Difference
from qmon_agent.ingest.matching import Pattern
from qmon_agent.settings import convert_table


class Deeds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An item of `input` that is no signal: what somebody does with an alert that fires then."""

    resolve: str = ""
    """The name of the alert that is resolved."""
    ack: str = ""
    """The name of the alert that is acknowledged."""
    labels: dict[str, str] = {}
    """Only incidents with these labels; `*` and `?` stand for anything."""
    by: str = "test"
    """Who does it."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One of them, read."""

    kind: Literal["resolve", "ack"]
    alert: str
    labels: Mapping[str, str]
    by: str


def is_act(table: Mapping[str, Any]) -> bool:
    return "resolve" in table or "ack" in table


def act_of(table: Mapping[str, Any], where: str, names: Sequence[str]) -> Act:
    """Raises ConfigError with everything that is wrong; `names`: the alerts there are."""
    said = convert_table(table, Deeds, where)
    if bool(said.resolve) is bool(said.ack):
        raise ConfigError(where, "says one alert, as `resolve` or as `ack`")
    kind: Literal["resolve", "ack"] = "resolve" if said.resolve else "ack"
    alert = said.resolve or said.ack
    if alert not in names:
        near = nearest_to(alert, names) or tuple(names)
        raise ConfigError(f"{where}.{kind}", f"there is no alert {alert!r}", near)
    return Act(kind=kind, alert=alert, labels=said.labels, by=said.by)


def do(act: Act, service: AlertService, *, at: str) -> Difference | None:
    """Do it to all that fires and is meant; where nothing does, that is a difference."""
    meant = [
        each.incident
        for each in service.standings()
        if each.alert == act.alert and each.state in ACTIVE and _has(each.labels, act.labels)
    ]
    for incident in meant:
        service.care.do(incident, Deed(kind=act.kind, by=act.by))
    if meant:
        return None
    text = f"at {at} somebody was to {act.kind} it, and it did not fire"
    labels = dict(act.labels)
    return Difference(what="missing", expected={"alert": act.alert, "labels": labels, "text": text})


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(Pattern(like).fits(labels.get(name, "")) for name, like in wanted.items())
