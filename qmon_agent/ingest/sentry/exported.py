"""Sentry's export: issues and events as its API tells them, or events as they were sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

from qmon_agent.ingest.foreign import Group
from qmon_agent.ingest.loose import identity, mapping, mappings, moment, name, sequence

from .events import keep_event
from .gathered import Gathered

Said = Mapping[str, Any]
_AT_ONCE = 500
_FRAME_WORDS = {
    "absPath": "abs_path",
    "lineNo": "lineno",
    "colNo": "colno",
    "inApp": "in_app",
    "filename": "filename",
    "function": "function",
    "module": "module",
    "vars": "vars",
}
_OWN_TAGS = ("level", "environment", "server_name", "transaction", "logger", "release")
"""Tags of an exported event that are fields of one that is sent."""


def groups_of(entries: Iterable[Any], *, service: str, left_out: Counter[str]) -> Iterator[Group]:
    """Errors by who speaks; `left_out` counts what none could be made of, and why."""
    gathered, number = Gathered({}, service=service, now=0), 0
    for entry in entries:
        event = _event_of(mapping(entry), left_out)
        if event is None:
            continue
        keep_event(event, gathered)
        number += 1
        if number % _AT_ONCE == 0:
            yield from gathered.groups
            gathered = Gathered({}, service=service, now=0)
    yield from gathered.groups


def _event_of(said: Said, left_out: Counter[str]) -> dict[str, Any] | None:
    """As it would have been sent; None for what is no error."""
    if said.get("type") == "transaction":
        left_out["transaction"] += 1
    elif "eventID" in said or "entries" in said:
        return _timed(_from_api(said), left_out)
    elif "lastSeen" in said:
        latest = mapping(said.get("latestEvent"))
        return _timed(_from_api(latest) if latest else _from_issue(said), left_out)
    elif "event_id" in said:
        return _timed(dict(said), left_out)
    else:
        left_out["neither_issue_nor_event"] += 1
    return None


def _timed(event: dict[str, Any], left_out: Counter[str]) -> dict[str, Any] | None:
    if moment(event.get("timestamp")):
        return event
    left_out["no_time"] += 1
    return None


def _from_api(said: Said) -> dict[str, Any]:
    tags = {name(tag.get("key")): tag.get("value") for tag in mappings(said.get("tags"))}
    entries = {name(one.get("type")): mapping(one.get("data")) for one in mappings(_entries(said))}
    release = mapping(said.get("release")).get("version") or tags.get("release")
    event: dict[str, Any] = {
        **{key: tags[key] for key in _OWN_TAGS if key in tags},
        "event_id": said.get("eventID") or said.get("id"),
        "timestamp": said.get("dateCreated") or said.get("dateReceived"),
        "release": release,
        "platform": said.get("platform"),
        "culprit": said.get("culprit"),
        "message": said.get("message"),
        "tags": {key: value for key, value in tags.items() if key not in _OWN_TAGS},
        "user": said.get("user"),
        "contexts": said.get("contexts"),
        "extra": said.get("context"),
        "sdk": said.get("sdk"),
        "breadcrumbs": entries.get("breadcrumbs"),
        "request": entries.get("request"),
        "logentry": entries.get("message"),
    }
    if "exception" in entries:
        values = mappings(entries["exception"].get("values"))
        event["exception"] = {"values": [_exception(value) for value in values]}
    return {key: value for key, value in event.items() if value}


def _entries(said: Said) -> list[Any]:
    return sequence(said.get("entries"))


def _exception(said: Said) -> dict[str, Any]:
    frames = mappings(mapping(said.get("stacktrace")).get("frames"))
    return {**said, "stacktrace": {"frames": [_frame(frame) for frame in frames]}}


def _frame(said: Said) -> dict[str, Any]:
    frame = {ours: said[theirs] for theirs, ours in _FRAME_WORDS.items() if theirs in said}
    for pair in sequence(said.get("context")):
        if isinstance(pair, list) and len(pair) > 1 and pair[0] == said.get("lineNo"):
            frame["context_line"] = pair[1]
    return frame


def _from_issue(said: Said) -> dict[str, Any]:
    """An issue without its events is one error, at the time it was seen last."""
    told, issue = mapping(said.get("metadata")), name(said.get("shortId") or said.get("id"))
    made = blake2b(f"{issue} {said.get('lastSeen')}".encode(), digest_size=16).hexdigest()
    project = name(mapping(said.get("project")).get("slug"))
    return {
        "event_id": identity(made),
        "timestamp": said.get("lastSeen"),
        "level": said.get("level"),
        "platform": said.get("platform"),
        "culprit": said.get("culprit"),
        "exception": {
            "values": [
                {
                    "type": told.get("type") or "Error",
                    "value": told.get("value") or said.get("title"),
                }
            ]
        },
        "tags": {
            "sentry.issue": issue,
            "sentry.count": said.get("count"),
            "sentry.first_seen": said.get("firstSeen"),
            "sentry.status": said.get("status"),
            **({"service": project} if project else {}),
        },
    }
