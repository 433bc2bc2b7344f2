"""Sentry's events as our errors, and what people write about them as our events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qmon_agent.ingest.exceptions import Told, grouping_of, told_of, told_of_message
from qmon_agent.ingest.loose import identity, labels, mapping, mappings, moment, name, text
from qmon_sdk.protocol.signals import Error, Event

from .gathered import Gathered
from .peeled import Peeled
from .scope import attributes_of, trace_of, user_id_of
from .stacks import exceptions_of

Said = Mapping[str, Any]


def keep_event(said: Said, gathered: Gathered) -> None:
    """Keep an event; one without exception is a message."""
    told = _told(said)
    trace_id, span_id = trace_of(said)
    error = Error(
        time=moment(said.get("timestamp")) or gathered.now,
        error_id=identity(said.get("event_id")) or identity(gathered.headers.get("event_id")),
        type=told.type,
        message=told.message,
        culprit=told.culprit or name(said.get("culprit")),
        level=name(said.get("level")) or "error",
        handled=told.handled,
        trace_id=trace_id,
        span_id=span_id,
        user_id=user_id_of(mapping(said.get("user"))),
        stack=told.stack,
        grouping=grouping_of(said.get("fingerprint"), told.grouping),
        attributes=attributes_of(said),
    )
    gathered.keep(said, [error])


def keep_feedback(said: Said, gathered: Gathered) -> None:
    """Keep what somebody wrote about an error, in the newer form or the older one."""
    inside = mapping(mapping(said.get("contexts")).get("feedback"))
    told = labels(inside or {new: said.get(old) for old, new in _OLD_FEEDBACK.items()})
    trace_id, _ = trace_of(said)
    if trace_id:
        told["trace_id"] = trace_id
    event = Event(
        time=moment(said.get("timestamp")) or gathered.now,
        event_id="" if not inside else identity(said.get("event_id")),
        name="feedback",
        user_id=user_id_of(mapping(said.get("user"))),
        attributes={f"feedback.{key}": value for key, value in told.items()},
    )
    gathered.keep(said, [event])


_OLD_FEEDBACK = {
    "event_id": "associated_event_id",
    "name": "name",
    "email": "contact_email",
    "comments": "message",
}


def _told(said: Said) -> Told:
    values = _exceptions(said)
    if values and values[-1].get("type"):
        return told_of(values[::-1])  # Sentry's last is the one that was caught
    entry = mapping(said.get("logentry") or said.get("message"))
    plain = said.get("message")
    template = text(entry.get("message"))
    message = text(entry.get("formatted")) or template or text(plain if _is_text(plain) else "")
    message = message or text(values[-1].get("value") if values else "")
    return told_of_message(message, _frames(said), said=template)


def _exceptions(said: Said) -> Sequence[Said]:
    raw = said.raw("exception") if isinstance(said, Peeled) else None
    found = None if raw is None else exceptions_of(raw)
    return _values(said.get("exception")) if found is None else found


def _frames(said: Said) -> Sequence[Said]:
    """The stack of a message stands in a thread, beside it, or in an exception of no type."""
    threads = _values(said.get("threads")) or _values(said.get("exception"))
    current = [each for each in threads if each.get("current")] or threads[:1]
    holder = current[0] if current else said
    return [*mappings(mapping(holder.get("stacktrace")).get("frames"))]


def _values(said: Any) -> list[Said]:
    """A list, bare or as `values`; or just one."""
    if isinstance(said, dict):
        said = said.get("values", [said])
    return [*mappings(said)]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
