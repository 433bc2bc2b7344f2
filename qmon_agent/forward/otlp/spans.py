"""Spans as OTLP spans."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

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
_STATUS = {
    "ok": Status(code=Status.STATUS_CODE_OK),
    "error": Status(code=Status.STATUS_CODE_ERROR),
}


def spans_of(frame: Frame, rows: Iterable[Signal], made: Attributes) -> ResourceSpans:
    scope = ScopeSpans(scope=SCOPE)
    for row in rows:
        span = cast("Span", row)
        scope.spans.add(
            trace_id=id_of(span.trace_id),
            span_id=id_of(span.span_id),
            parent_span_id=id_of(span.parent_id),
            name=span.name,
            kind=_KINDS.get(span.kind, OtlpSpan.SPAN_KIND_UNSPECIFIED),
            start_time_unix_nano=max(0, span.time),
            end_time_unix_nano=max(0, span.time + span.duration_ns),
            status=_STATUS.get(span.status),
            attributes=made.of(
                span.attributes, ("user.id", span.user_id), ("session.id", span.session_id)
            ),
        )
    return ResourceSpans(resource=resource_of(frame), scope_spans=[scope])
