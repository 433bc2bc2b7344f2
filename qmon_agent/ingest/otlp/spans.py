"""Traces: spans, and an error for every exception that a span tells of."""

from __future__ import annotations

from typing import Any

import msgspec

from qmon_sdk.protocol.signals import NO_LABELS, Signal, Span

from .exceptions import Place, error_of
from .reading import LAST_TIME, Labels, Reading, added

_KINDS = {
    number: name
    for place, name in enumerate(
        ("internal", "internal", "server", "client", "producer", "consumer")
    )
    for number in (place, f"SPAN_KIND_{name.upper()}")
}
_STATUSES = {1: "ok", 2: "error", "STATUS_CODE_OK": "ok", "STATUS_CODE_ERROR": "error"}
_TRACE, _SPAN = 16, 8
_made = tuple.__new__  # by place, as `columns.rows_of` does: names would cost as much as the rest


def read_traces(message: Any, reading: Reading) -> None:
    """Everything a request for traces tells."""
    for part in message.resource_spans or ():
        signals = reading.signals_of(part.resource)
        for inner in part.scope_spans or ():
            reader = _Spans(reading, signals, reading.scope(inner.scope))
            for span in inner.spans or ():
                reader.take(span)


class _Spans:
    """Reads the spans of one library."""

    def __init__(self, reading: Reading, signals: list[Signal], scope: Labels) -> None:
        self._reading = reading
        self._signals = signals
        self._scope = scope
        self._identify = reading.encoding.identify
        self._read_labels = reading.labels

    def take(self, span: Any) -> None:
        identify, signals = self._identify, self._signals
        trace_id, span_id = identify(span.trace_id, _TRACE), identify(span.span_id, _SPAN)
        if not trace_id or not span_id:
            self._reading.reject("spans without a valid trace or span id")
            return
        start, end = span.start_time_unix_nano, span.end_time_unix_nano
        start = start or end or self._reading.now
        if not 0 <= start <= LAST_TIME or end > LAST_TIME:
            self._reading.reject("spans of a time beyond the year 2262")
            return
        status = span.status
        labels = self._labels(span, status.message)
        user_id, session_id = _whose(labels)
        events = links = ""
        if span.events:
            place = Place(
                time=start,
                trace_id=trace_id,
                span_id=span_id,
                user_id=user_id,
                session_id=session_id,
            )
            events = self._events(span.events, place)
        if span.links:
            links = self._links(span.links)
        row = (
            start, trace_id, span_id, identify(span.parent_span_id, _SPAN), span.name or "",
            _KINDS.get(span.kind, "internal"), end - start if end > start else 0,
            _STATUSES.get(status.code, "unset"), user_id, session_id, labels or NO_LABELS,
            events, links,
        )  # fmt: skip
        signals.append(_made(Span, row))  # type: ignore[type-var]

    def _labels(self, span: Any, message: str) -> Labels:
        labels = self._read_labels(span.attributes)
        labels.update(self._scope)
        if message:
            labels["otel.status_description"] = message
        if state := span.trace_state:
            labels["otel.trace_state"] = state
        if span.dropped_attributes_count or span.dropped_events_count or span.dropped_links_count:
            counts = (f"dropped_{what}_count" for what in ("attributes", "events", "links"))
            added(labels, ((f"otel.{name}", getattr(span, name)) for name in counts))
        return labels

    def _events(self, events: Any, place: Place) -> str:
        told = []
        for number, event in enumerate(events):
            labels = self._reading.labels(event.attributes)
            time = min(event.time_unix_nano or place.time, LAST_TIME)
            told.append({"time": time, "name": event.name or "", "attributes": labels})
            if event.name == "exception":
                at = msgspec.structs.replace(place, time=time, number=number)
                self._signals.append(error_of(labels, at, beside=self._scope))
        return msgspec.json.encode(told).decode()

    def _links(self, links: Any) -> str:
        identify = self._identify
        told = [
            {
                "trace_id": identify(link.trace_id, _TRACE),
                "span_id": identify(link.span_id, _SPAN),
                "tracestate": link.trace_state or "",
                "attributes": self._reading.labels(link.attributes),
            }
            for link in links
        ]
        return msgspec.json.encode(told).decode()


def _whose(labels: Labels) -> tuple[str, str]:
    """The user and the session, which have fields of their own."""
    user = labels.pop("user.id", "") or labels.get("enduser.id", "")
    return user, labels.pop("session.id", "")
