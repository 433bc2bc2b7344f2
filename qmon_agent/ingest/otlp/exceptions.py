"""Exceptions as OpenTelemetry tells them, by attributes of an event, as errors of ours."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from qmon_agent.ingest.grouping import culprit_of, key_of
from qmon_agent.ingest.tracebacks import chain_of, written
from qmon_sdk.protocol.signals import Error

Labels = Mapping[str, str]

_TYPE, _MESSAGE, _STACK = "exception.type", "exception.message", "exception.stacktrace"
_TOLD = frozenset({_TYPE, _MESSAGE, _STACK, "exception.escaped"})
_TRUE = "true"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where and for whom something went wrong."""

    time: int
    trace_id: str = ""
    span_id: str = ""
    user_id: str = ""
    session_id: str = ""
    level: str = "error"
    number: int = 0
    """Which one it is of those at this place."""


def is_told(labels: Labels) -> bool:
    """Whether these attributes tell of an exception."""
    return _TYPE in labels or _MESSAGE in labels


def error_of(labels: Labels, place: Place, *, beside: Labels) -> Error:
    """The error; told twice at the same place, it has the same id. `beside` are its attributes."""
    chain = chain_of(
        labels.get(_STACK, ""), kind=labels.get(_TYPE, ""), value=labels.get(_MESSAGE, "")
    )
    own = chain[0]
    return Error(
        time=place.time,
        error_id=_id_of(labels, place),
        type=own["type"],
        message=labels.get(_MESSAGE, "") or own["value"],
        culprit=culprit_of(own["frames"]),
        level=place.level,
        handled=labels.get("exception.escaped", "").lower() != _TRUE,
        trace_id=place.trace_id,
        span_id=place.span_id,
        user_id=place.user_id,
        session_id=place.session_id,
        stack=written(chain),
        grouping=key_of(chain),
        attributes={
            **beside,
            **{key: text for key, text in labels.items() if key not in _TOLD},
        },
    )


def sign_of(error: Error) -> tuple[str, str, str, str]:
    """What the same exception has in common, told by a span and by a line."""
    return error.trace_id, error.span_id, error.type, error.message


def _id_of(labels: Labels, place: Place) -> str:
    parts = (str(place.time), place.trace_id, place.span_id, str(place.number))
    told = (labels.get(_TYPE, ""), labels.get(_MESSAGE, ""))
    return blake2b("\0".join((*parts, *told)).encode(), digest_size=16).hexdigest()
