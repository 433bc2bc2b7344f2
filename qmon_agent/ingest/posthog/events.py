"""PostHog's events as ours, and its exceptions as our errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qmon_agent.ingest.exceptions import Told, told_of, told_of_message
from qmon_agent.ingest.loose import (
    identity,
    labels,
    length,
    mapping,
    mappings,
    moment,
    name,
    number,
    text,
)
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.grouping import hashed
from qmon_sdk.protocol.signals import Error, Event, Signal

Said = Mapping[str, Any]

EXCEPTION, IDENTIFY = "$exception", "identify"
_FLAG = "$feature/"
_MS_PER_SECOND = 1000
_END_OF_TIME = (1 << 63) - 1

# What has a field of its own, or tells nothing.
_TAKEN = frozenset(
    (
        "$anon_distinct_id",
        "$exception_fingerprint",
        "$exception_level",
        "$exception_list",
        "$groups",
        "$lib",
        "$lib_version",
        "$process_person_profile",
        "$session_id",
        "$set",
        "alias",
        "distinct_id",
        "environment",
        "release",
        "service",
        "token",
    )
)
_ATTRIBUTES = {
    "$current_url": "url.full",
    "$pathname": "url.path",
    "$host": "server.address",
    "$ip": "client.address",
    "$os": "os.name",
    "$os_version": "os.version",
    "$raw_user_agent": "user_agent.original",
    "$useragent": "user_agent.original",
    "$device_id": "device.id",
}
"""What a property is called there → in OpenTelemetry's words."""


class Times:
    """When things happened: by the sender's clock, as far as it is off from ours."""

    def __init__(self, sent_at: Any, *, now: int) -> None:
        sent = moment(sent_at)
        self._now = now
        self._off = now - sent if sent else 0

    def of(self, said: Said) -> int:
        told = moment(said.get("timestamp"))
        if told:
            return min(max(0, told + self._off), _END_OF_TIME)
        return max(0, self._now - length(number(said.get("offset")) / _MS_PER_SECOND))


def signal_of(said: Said, times: Times) -> Signal | None:
    """The event, or the error it tells of; nothing if it has no name."""
    properties = mapping(said.get("properties"))
    event = name(said.get("event"))
    if not event:
        return None
    make = _error if event == EXCEPTION else _event
    return make(event, said, properties=properties, time=times.of(said))


def resource_of(said: Said, *, service: str) -> Resource:
    """Who speaks: a property may name a service, else the configuration does."""
    properties = mapping(said.get("properties"))
    library = (name(properties.get("$lib")), name(properties.get("$lib_version")))
    return Resource(
        service=name(properties.get("service")) or service,
        release=name(properties.get("release")),
        environment=name(properties.get("environment")) or "production",
        sdk="/".join(filter(None, library)),
    )


def _event(event: str, said: Said, *, properties: Said, time: int) -> Event:
    user_id, anonymous_id = _people(said, properties)
    attributes = _attributes(properties)
    traits = said.get("$set") or properties.get("$set")
    if event in {"$identify", "$create_alias", "$set"}:
        before = properties.get("$anon_distinct_id") or properties.get("alias")
        event, anonymous_id = IDENTIFY, name(before) or anonymous_id
        attributes |= labels(traits)  # as `qmon.identify` has them
    else:
        attributes |= labels(traits, "$set.")
    return Event(
        time=time,
        event_id=_id_of(said),
        name=event,
        user_id=user_id,
        anonymous_id=anonymous_id,
        session_id=_session_of(properties),
        attributes=attributes,
    )


def _error(_: str, said: Said, *, properties: Said, time: int) -> Error:
    told = _told(properties)
    fingerprint = properties.get("$exception_fingerprint")
    user_id, anonymous_id = _people(said, properties)
    attributes = _attributes(properties)
    if anonymous_id:
        attributes["user.anonymous_id"] = anonymous_id
    return Error(
        time=time,
        error_id=_id_of(said),
        type=told.type,
        message=told.message,
        culprit=told.culprit,
        level=name(properties.get("$exception_level")) or "error",
        handled=told.handled,
        user_id=user_id,
        session_id=_session_of(properties),
        stack=told.stack,
        grouping=hashed([text(fingerprint)]) if fingerprint else told.grouping,
        attributes=attributes,
    )


def _told(properties: Said) -> Told:
    exceptions = [*mappings(properties.get("$exception_list"))]
    if exceptions:
        return told_of(exceptions)  # PostHog's first is the one that was caught
    return told_of_message(text(properties.get("$exception_message")), [])


def _people(said: Said, properties: Said) -> tuple[str, str]:
    """User and anonymous user: one id is either, and properties tell which."""
    person = name(said.get("distinct_id") or properties.get("distinct_id"))
    is_nobody = (
        properties.get("$is_identified") is False
        or properties.get("$process_person_profile") is False
        or (person and person == properties.get("$device_id"))
    )
    return ("", person) if is_nobody else (person, "")


def _session_of(properties: Said) -> str:
    session = name(properties.get("$session_id"))
    return identity(session) or session


def _id_of(said: Said) -> str:
    return identity(said.get("uuid")) or identity(mapping(said.get("properties")).get("$insert_id"))


def _attributes(properties: Said) -> dict[str, str]:
    found: dict[str, str] = {}
    kept = {key: value for key, value in properties.items() if key not in _TAKEN}
    for key, value in labels(kept).items():
        if key.startswith(_FLAG):
            found[f"flag.{key.removeprefix(_FLAG)}"] = value
        else:
            found[_ATTRIBUTES.get(key, key)] = value
    return found | labels(properties.get("$groups"), "group.")
