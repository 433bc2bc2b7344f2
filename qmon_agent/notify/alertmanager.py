"""A message as Alertmanager's webhook body, version 4, with what only qmon knows beside it."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from qmon_agent.domain.notices import Notice

from .message import Message, moment, title_of

STILL_FIRING = "0001-01-01T00:00:00Z"


def body_of(message: Message) -> bytes:
    """The document; what is under `qmon` is in nanoseconds UTC."""
    notice = message.notice
    annotations = {"summary": message.title, "description": message.text}
    alerts = [
        _alert(message, each, {"summary": title_of(each), "description": each.description})
        for each in notice.members
    ] or [_alert(message, notice, annotations)]
    # Nothing where the agent has no public address.
    actions = {"actions": msgspec.to_builtins(message.actions)} if message.actions else {}
    return msgspec.json.encode(
        {
            "version": "4",
            "groupKey": f"qmon:{notice.thread}",
            "truncatedAlerts": notice.left_out,
            "status": _status(notice),
            "receiver": notice.receiver or message.channel,
            "groupLabels": notice.group_labels if notice.members else {"alertname": notice.alert},
            "commonLabels": _common([each["labels"] for each in alerts]),
            "commonAnnotations": annotations,
            "externalURL": message.link,
            "alerts": alerts,
            "qmon": extension_of(message) | actions,
        }
    )


def _common(labels: list[dict[str, str]]) -> dict[str, str]:
    first, *others = labels
    return {
        name: value
        for name, value in first.items()
        if all(each.get(name) == value for each in others)
    }


def _alert(message: Message, notice: Notice, annotations: dict[str, str]) -> dict[str, Any]:
    labels = notice.matched_labels
    return {
        "status": _status(notice),
        "labels": labels,
        "annotations": annotations,
        "startsAt": moment(notice.fired_at),
        "endsAt": moment(notice.resolved_at) if notice.resolved_at else STILL_FIRING,
        "generatorURL": message.link,
        # As in Alertmanager: of the labels, so that all messages about one thing share it.
        "fingerprint": sha256(msgspec.json.encode(labels, order="sorted")).hexdigest()[:16],
    }


def _status(notice: Notice) -> str:
    """Alertmanager knows of two: what somebody has acknowledged still fires."""
    return "resolved" if notice.status == "resolved" else "firing"


def extension_of(message: Message) -> dict[str, Any]:
    """What only qmon knows."""
    notice = message.notice
    return {
        "version": 1,
        "key": message.key,
        "attempt": message.attempt,
        "incident": notice.incident,
        "reason": notice.reason,
        "rule": notice.rule,
        "system": notice.system,
        "metric": notice.metric,
        "threshold": notice.threshold,
        "value": notice.value,
        "event_time": notice.event_time,
        "since": notice.since,
        "fired_at": notice.fired_at,
        "resolved_at": notice.resolved_at,
        "sent_at": message.sent_at,
    }
