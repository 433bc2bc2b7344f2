"""Alerts of Prometheus, vmalert and Alertmanager: as they are posted to it, and as it passes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Log, Point, Signal

from .loose import labels, mapping, moment, sequence, text

FIRING = "alert.firing"
"""Metric: 1 while an alert fires, 0 when it is told to be over; with the labels of the alert."""
VALID_UNTIL = "alert.valid_until"
"""Metric: until when the sender vouches for it, in seconds since 1970; 0 if it does not say."""
FINGERPRINT, SUMMARY = "alert.fingerprint", "alert.summary"

_SECOND_NS = 1_000_000_000
_LEVELS = {"critical": "error", "page": "error", "error": "error", "info": "info", "none": "info"}
_OFFSET, _PRIME, _SEPARATOR = 14695981039346656037, 1099511628211, 255
_MASK = (1 << 64) - 1
_MAX_SUMMARY = 300


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert of somebody else's rules, as it stands."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    fingerprint: str
    is_firing: bool
    started: int
    ends: int
    """When it ended; or until when it is to be believed without being told again, 0 for ever."""
    link: str = ""

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "alert")

    @property
    def summary(self) -> str:
        told = (self.annotations.get(key, "") for key in ("summary", "message", "description"))
        return next(filter(None, told), "")[:_MAX_SUMMARY]

    @property
    def state(self) -> tuple[bool, int]:
        """What a log line is worth: it fires since then, or does not."""
        return self.is_firing, self.started


def read_alerts(said: Any, *, now: int) -> list[Alert | None]:
    """The alerts of either body; `None` in the place of one that has no labels."""
    is_passed_on = isinstance(said, dict)
    told = sequence(mapping(said).get("alerts")) if is_passed_on else sequence(said)
    return [_read(mapping(each), now, is_passed_on=is_passed_on) for each in told]


def fingerprint_of(pairs: Mapping[str, str]) -> str:
    """What Prometheus and Alertmanager call an alert of these labels: FNV-1a, 64 bits."""
    found = _OFFSET
    for key, value in sorted(pairs.items()):
        for part in (key, value):
            for byte in (*part.encode("utf-8", "replace"), _SEPARATOR):
                found = ((found ^ byte) * _PRIME) & _MASK
    return f"{found:016x}"


def resource_of(alert: Alert, *, service: str) -> Resource:
    """Whom it is about: the service it names, or the job that was scraped."""
    own = alert.labels.get("service") or alert.labels.get("job")
    environment = alert.labels.get("environment") or alert.labels.get("env", "")
    return Resource(service=own or service, environment=environment)


def points_of(alert: Alert, *, now: int) -> Iterable[Signal]:
    """Its state, for rules and charts."""
    about = {FINGERPRINT: alert.fingerprint}
    until = alert.ends / _SECOND_NS if alert.is_firing else 0.0
    told = about | ({SUMMARY: alert.summary} if alert.summary else {})
    yield Point(
        time=now,
        metric=FIRING,
        value=float(alert.is_firing),
        unit="1",
        attributes={**alert.labels, **about},
    )
    yield Point(time=now, metric=VALID_UNTIL, value=until, unit="s", attributes=told)


def line_of(alert: Alert, *, now: int) -> Log:
    """What happened, for a person to read."""
    status = "firing" if alert.is_firing else "resolved"
    severity = alert.labels.get("severity", "")
    attributes = {**alert.labels, FINGERPRINT: alert.fingerprint, "alert.status": status}
    attributes |= {f"annotation.{key}": value for key, value in alert.annotations.items()}
    if alert.link:
        attributes["alert.generator_url"] = alert.link
    return Log(
        time=(alert.started if alert.is_firing else alert.ends) or now,
        level=_LEVELS.get(severity, "warn") if alert.is_firing else "info",
        body=f"{alert.name} {status}: {alert.summary}".removesuffix(": "),
        template=alert.name,
        logger="alertmanager",
        attributes=attributes,
    )


def _read(said: Mapping[str, Any], now: int, *, is_passed_on: bool) -> Alert | None:
    own = labels(said.get("labels"))
    if not own:
        return None
    ends = moment(said.get("endsAt"))
    # Alertmanager vouches for what it passes on until it says otherwise, whatever `endsAt` says.
    is_firing = said.get("status") != "resolved" if is_passed_on else not ends or ends > now
    return Alert(
        labels=own,
        annotations=labels(said.get("annotations")),
        fingerprint=fingerprint_of(own),
        is_firing=is_firing,
        started=moment(said.get("startsAt")),
        ends=0 if is_passed_on and is_firing else ends,
        link=text(said.get("generatorURL"), 1024),
    )
