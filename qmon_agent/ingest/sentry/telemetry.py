"""Sentry's logs and metrics, which come many in one item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qmon_agent.ingest.loose import identity, mappings, moment, name, number, text
from qmon_agent.ingest.numbers import point_of_value
from qmon_sdk.protocol.signals import Log, Point

from .gathered import Gathered
from .typed import attributes_of_typed, speaker_of
from .words import UNITS

Said = Mapping[str, Any]

_LEVELS = {"warning": "warn", "critical": "fatal"}
_EACH_ITS_OWN = ("sentry.timestamp.sequence", "sentry.trace.parent_span_id")
"""With these, no two measurements would be of one series; nor is their trace kept."""
_TEMPLATE, _LOGGER = "sentry.message.template", "logger.name"


def keep_logs(said: Said, gathered: Gathered) -> None:
    """Keep every line."""
    for line in mappings(said.get("items")):
        attributes = attributes_of_typed(line.get("attributes"))
        level = name(line.get("level")) or "info"
        speaker = speaker_of(attributes)
        trace_id, span_id = _trace_of(line, attributes)
        log = Log(
            time=moment(line.get("timestamp")) or gathered.now,
            level=_LEVELS.get(level, level),
            body=text(line.get("body")),
            template=name(attributes.pop(_TEMPLATE, "")),
            logger=attributes.pop(_LOGGER, ""),
            trace_id=trace_id,
            span_id=span_id,
            attributes=attributes,
        )
        gathered.keep(speaker, [log])


def keep_metrics(said: Said, gathered: Gathered) -> None:
    """Keep every measurement."""
    for told in mappings(said.get("items")):
        attributes = attributes_of_typed(told.get("attributes"))
        speaker = speaker_of(attributes)
        for key in _EACH_ITS_OWN:
            attributes.pop(key, None)
        gathered.keep(speaker, [_point(told, attributes, now=gathered.now)])


def _point(told: Said, attributes: dict[str, str], *, now: int) -> Point:
    value, metric = number(told.get("value")), name(told.get("name"))
    time, unit = moment(told.get("timestamp")) or now, name(told.get("unit"))
    unit = UNITS.get(unit, unit)
    kind = name(told.get("type"))
    if kind not in {"counter", "gauge"}:
        return point_of_value(metric, value, time=time, unit=unit, attributes=attributes)
    return Point(time=time, metric=metric, kind=kind, value=value, unit=unit, attributes=attributes)


def _trace_of(told: Said, attributes: dict[str, str]) -> tuple[str, str]:
    span_id = attributes.pop("sentry.trace.parent_span_id", "")
    return identity(told.get("trace_id")), identity(told.get("span_id")) or identity(span_id)
