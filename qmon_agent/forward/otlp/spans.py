"""Spans as OTLP spans."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import msgspec
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from qmon_sdk.protocol.frames import Frame
from qmon_sdk.protocol.signals import Signal, Span

from .attributes import SCOPE, Attributes, id_of, resource_of

_KINDS = {
    "internal": OtlpSpan.SPAN_KIND_INTERNAL,
    "server": OtlpSpan.SPAN_KIND_SERVER,
    "client": OtlpSpan.SPAN_KIND_CLIENT,
    "producer": OtlpSpan.SPAN_KIND_PRODUCER,
    "consumer": OtlpSpan.SPAN_KIND_CONSUMER,
}
_STATUS = {"ok": Status.STATUS_CODE_OK, "error": Status.STATUS_CODE_ERROR}
_DESCRIPTION = "otel.status_description"
_STATE = "otel.trace_state"


class _Event(msgspec.Struct, frozen=True):
    time: int = 0
    name: str = ""
    attributes: dict[str, str] = {}


class _Link(msgspec.Struct, frozen=True):
    trace_id: str = ""
    span_id: str = ""
    tracestate: str = ""
    attributes: dict[str, str] = {}


_read_events = msgspec.json.Decoder(list[_Event])
_read_links = msgspec.json.Decoder(list[_Link])


def spans_of(frame: Frame, rows: Iterable[Signal], made: Attributes) -> ResourceSpans:
    scope = ScopeSpans(scope=SCOPE)
    for row in rows:
        span = cast("Span", row)
        scope.spans.add(
            trace_id=id_of(span.trace_id),
            span_id=id_of(span.span_id),
            parent_span_id=id_of(span.parent_id),
            trace_state=span.attributes.get(_STATE, ""),
            name=span.name,
            kind=_KINDS.get(span.kind, OtlpSpan.SPAN_KIND_UNSPECIFIED),
            start_time_unix_nano=max(0, span.time),
            end_time_unix_nano=max(0, span.time + span.duration_ns),
            status=_status_of(span),
            attributes=made.of(
                span.attributes, ("user.id", span.user_id), ("session.id", span.session_id)
            ),
            events=_events_of(span.events, made) if span.events else (),
            links=_links_of(span.links, made) if span.links else (),
        )
    return ResourceSpans(resource=resource_of(frame), scope_spans=[scope])


def _status_of(span: Span) -> Status | None:
    code = _STATUS.get(span.status)
    if code is None:
        return None
    return Status(code=code, message=span.attributes.get(_DESCRIPTION, ""))


def _events_of(text: str, made: Attributes) -> list[Any]:
    return [
        OtlpSpan.Event(
            time_unix_nano=max(0, event.time),
            name=event.name,
            attributes=made.of(event.attributes),
        )
        for event in _told(_read_events, text)
    ]


def _links_of(text: str, made: Attributes) -> list[Any]:
    return [
        OtlpSpan.Link(
            trace_id=id_of(link.trace_id),
            span_id=id_of(link.span_id),
            trace_state=link.tracestate,
            attributes=made.of(link.attributes),
        )
        for link in _told(_read_links, text)
    ]


def _told(decoder: Any, text: str) -> list[Any]:
    """What the text says; nothing when a stranger wrote something else."""
    try:
        told: list[Any] = decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return []
    return told
