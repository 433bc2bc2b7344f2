"""How much one span may hold, by OpenTelemetry's own variables."""

from __future__ import annotations

import os

from qmon_sdk.protocol.records import Record

_DEFAULT = 128
_ATTRIBUTES = "OTEL_ATTRIBUTE_COUNT_LIMIT"


class Limits(Record):
    """The most attributes, events and links of a span, and attributes of an event or a link."""

    attributes: int = _DEFAULT
    events: int = _DEFAULT
    links: int = _DEFAULT
    event_attributes: int = _DEFAULT
    link_attributes: int = _DEFAULT


def limits_of_environment() -> Limits:
    """Read the limits; what is no number that can be a limit leaves the default."""
    most = _number(_ATTRIBUTES, _DEFAULT)
    return Limits(
        attributes=_number("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", most),
        events=_number("OTEL_SPAN_EVENT_COUNT_LIMIT", _DEFAULT),
        links=_number("OTEL_SPAN_LINK_COUNT_LIMIT", _DEFAULT),
        event_attributes=_number("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", most),
        link_attributes=_number("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", most),
    )


def _number(variable: str, default: int) -> int:
    said = os.environ.get(variable, "").strip()
    return int(said) if said.isascii() and said.isdigit() else default
