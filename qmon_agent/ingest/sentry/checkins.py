"""Sentry's check-ins, with what they say of their monitor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qmon_agent.ingest.loose import identity, length, mapping, name, number
from qmon_sdk.protocol.schedules import ScheduleError, parse_schedule, schedule_text
from qmon_sdk.protocol.signals import CheckIn

from .gathered import Gathered
from .scope import trace_of

Said = Mapping[str, Any]

RUN = "checkin.id"
_MINUTE_S = 60
_MOST_MINUTES = 366 * 1440
_STATUSES = {"missed": "error", "timeout": "error"}
_UNITS = {"minute": 1, "hour": 60, "day": 1440, "week": 10080, "month": 43200, "year": 525600}
"""In minutes; a month is thirty days here, and a year 365."""


def keep_checkin(said: Said, gathered: Gathered) -> None:
    """Keep a check-in; a schedule that cannot be is left out and noted."""
    status = name(said.get("status")) or "ok"
    attributes = {RUN: identity(said.get("check_in_id"))}
    attributes |= _plan(mapping(said.get("monitor_config")), gathered)
    trace_id, span_id = trace_of(said)
    attributes |= {"trace_id": trace_id, "span_id": span_id if trace_id else ""}
    checkin = CheckIn(
        time=gathered.now,
        monitor=name(said.get("monitor_slug")),
        status=_STATUSES.get(status, status),
        duration_ns=length(said.get("duration")),
        attributes={key: value for key, value in attributes.items() if value},
    )
    gathered.keep(said, [checkin])


def _plan(config: Said, gathered: Gathered) -> dict[str, str]:
    told = {
        "margin_s": _seconds(config.get("checkin_margin")),
        "max_runtime_s": _seconds(config.get("max_runtime")),
    }
    try:
        told["schedule"] = _schedule(mapping(config.get("schedule")))
    except ScheduleError:
        gathered.note("impossible schedule")
    if told.get("schedule"):
        told["timezone"] = name(config.get("timezone"))
    return told


def _schedule(said: Said) -> str:
    value, kind = said.get("value"), name(said.get("type"))
    if value is None:
        return ""
    if kind == "interval":
        minutes = number(value) * _UNITS.get(name(said.get("unit")), 1)
        return schedule_text(f"every {minutes * _MINUTE_S:.0f}s")
    parse_schedule(name(value))
    return schedule_text(name(value))


def _seconds(minutes: Any) -> str:
    return f"{number(minutes) * _MINUTE_S:.0f}" if 0 < number(minutes) < _MOST_MINUTES else ""
