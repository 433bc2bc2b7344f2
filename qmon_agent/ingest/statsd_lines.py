"""Lines of StatsD and DogStatsD, read: what a value is of, an event, a service check.

    name:value[:value…]|type[|@rate][|#tag:value,…][|c:container][|Tseconds]
    _e{title bytes,text bytes}:title|text[|d:…|h:…|k:…|p:…|s:…|t:…|#…]
    _sc|name|status[|d:…|h:…|#…|m:message]

Fields of a kind that is not known are passed over, as DogStatsD asks of servers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from uuid import uuid4

import msgspec

from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import CheckIn, Event

KINDS = {
    b"c": "counter",
    b"g": "gauge",
    b"ms": "distribution",
    b"h": "distribution",
    b"d": "distribution",
    b"s": "set",
}
STATUSES = {b"0": "ok", b"1": "warning", b"2": "error", b"3": "unknown"}
"""What a check found; only `ok` and `error` begin or end an incident."""

MAX_NAME = 255
MAX_TEXT = 4_000
_MOST_TAGS = 64
_MAX_TAG = 200
_SECOND = 1_000_000_000
_LATEST_S = 1 << 33  # beyond this a time is no time
_OF_RESOURCE = ("service", "env", "version", "host")
_EVENT_FIELDS = {
    b"k:": "aggregation_key",
    b"p:": "priority",
    b"s:": "source",
    b"t:": "level",
}


class LineError(ValueError):
    """A line that says nothing that can be kept; `reason` is what it is counted under."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What all values with one name and one ending belong to."""

    metric: str
    kind: str
    unit: str = ""
    weight: float = 1.0
    """How many values one stands for, by its sample rate."""
    labels: Mapping[str, str] = {}
    speaker: tuple[str, ...] = ("", "", "", "")
    """Service, environment, release and host, where the tags say them."""
    time: int = 0
    """When it was, in nanoseconds, where the line says it."""
    is_dogstatsd: bool = False
    """Whether it has anything that plain StatsD does not know."""


def read_meaning(name: bytes, ending: bytes) -> Meaning:
    """Of `name:…|ending`; raises LineError."""
    metric = _text(name)[:MAX_NAME]
    if not metric:
        raise LineError("no_name")
    type_, *fields = ending.strip().split(b"|")
    kind = KINDS.get(type_)
    if kind is None:
        raise LineError("unknown_type" if type_ else "no_type")
    weight, moment = 1.0, 0
    for field in fields:
        if field[:1] == b"@":
            weight = _weight(field[1:])
        elif field[:1] == b"T":
            moment = _moment(field[1:])
    labels, speaker = _tags(fields)
    return Meaning(
        metric=metric,
        kind=kind,
        unit="ms" if type_ == b"ms" else "",
        weight=1.0 if kind in {"gauge", "set"} else weight,
        labels=labels,
        speaker=speaker,
        time=moment,
        is_dogstatsd=any(field[:1] != b"@" for field in fields) or type_ in {b"h", b"d"},
    )


def read_event(line: bytes) -> tuple[Event, tuple[str, ...]]:
    """Of `_e{…}:…`, and who speaks; raises LineError."""
    lengths, _, rest = line[3:].partition(b"}:")
    title_length, _, text_length = lengths.partition(b",")
    if not (title_length.isdigit() and text_length.isdigit() and len(lengths) < 20):  # noqa: PLR2004 - digits
        raise LineError("bad_event")
    middle = int(title_length)
    end = middle + 1 + int(text_length)
    title, text, after = rest[:middle], rest[middle + 1 : end], rest[end:]
    whole = title and rest[middle : middle + 1] == b"|" and len(rest) >= end
    if not whole or after[:1] not in {b"", b"|"}:
        raise LineError("bad_event")
    fields = after[1:].split(b"|")
    labels, speaker = _tags(fields)
    labels = {**labels, "message": _lines(text)}
    for field in fields:
        if name := _EVENT_FIELDS.get(field[:2]):
            labels[name] = _text(field[2:])[:_MAX_TAG]
    event = Event(
        time=_told(fields), event_id=uuid4().hex, name=_text(title)[:MAX_NAME], attributes=labels
    )
    return event, _at(speaker, fields)


def read_check(line: bytes) -> tuple[CheckIn, tuple[str, ...]]:
    """Of `_sc|…`, and who speaks; raises LineError."""
    before, marked, message = line.partition(b"|m:")
    _, name, status, *fields = (*before.split(b"|"), b"", b"")
    if not name or status not in STATUSES:
        raise LineError("bad_service_check")
    labels, speaker = _tags(fields)
    if marked:
        labels = {**labels, "message": _lines(message)}
    checkin = CheckIn(
        time=_told(fields),
        monitor=_text(name)[:MAX_NAME],
        status=STATUSES[status],
        attributes=labels,
    )
    return checkin, _at(speaker, fields)


def resource_of(speaker: tuple[str, ...], *, service: str, host: str) -> Resource:
    """Who speaks, and the usual names where the tags say nothing."""
    told_service, environment, release, told_host = speaker
    return Resource(
        service=told_service or service,
        environment=environment,
        release=release,
        host=told_host or host,
        sdk="statsd",
    )


def _weight(text: bytes) -> float:
    try:
        rate = float(text)
    except ValueError:
        raise LineError("bad_rate") from None
    if not 0 < rate <= 1:
        raise LineError("bad_rate")
    return min(1 / rate, 1e9)


def _moment(text: bytes) -> int:
    if not text.isdigit() or len(text) > 10 or int(text) > _LATEST_S:  # noqa: PLR2004 - digits
        raise LineError("bad_time")
    return int(text) * _SECOND


def _told(fields: Iterable[bytes]) -> int:
    for field in fields:
        if field[:2] == b"d:":
            return _moment(field[2:])
    return time.time_ns()


def _at(speaker: tuple[str, ...], fields: Iterable[bytes]) -> tuple[str, ...]:
    for field in fields:
        if field[:2] == b"h:":
            return (*speaker[:3], _text(field[2:])[:_MAX_TAG])
    return speaker


def _tags(fields: Iterable[bytes]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Labels, and who speaks; a key that comes more than once has all its values."""
    labels: dict[str, str] = {}
    for field in fields:
        if field[:1] == b"#":
            for tag in field[1:].split(b",")[:_MOST_TAGS]:
                _enter(labels, _text(tag))
        elif field[:2] == b"c:" and not field.startswith(b"c:in-"):
            labels["container.id"] = _text(field[2:]).removeprefix("ci-")[:_MAX_TAG]
    return labels, tuple(labels.pop(name, "") for name in _OF_RESOURCE)


def _enter(labels: dict[str, str], tag: str) -> None:
    key, colon, value = tag.partition(":")
    if not key:
        return
    value = value if colon else "true"
    if key in labels and labels[key] != value:
        value = f"{labels[key]},{value}"
    labels[key[:_MAX_TAG]] = value[:_MAX_TAG]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").strip()


def _lines(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\\n", "\n")[:MAX_TEXT]
