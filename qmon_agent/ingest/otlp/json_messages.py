"""OTLP's messages as they are written in JSON; named and asked as those of protobuf are."""

from __future__ import annotations

from typing import Any

import msgspec

Raw = msgspec.Raw
Raws = list[Raw] | None
Number = int | str
"""An enumeration: by its number or by its name."""


class Message(msgspec.Struct, rename="camel"):
    """Fields that are not known are passed over; `null` for a text or a list is as good as none."""

    def HasField(self, name: str) -> bool:  # noqa: N802 - as protobuf calls it
        """Whether an optional field was said."""
        return getattr(self, name) is not None


class Resource(Message):
    """Who speaks."""

    attributes: Raws = None


class Scope(Message):
    """Which library speaks."""

    name: str | None = None
    version: str | None = None
    attributes: Raws = None


class Event(Message):
    """Something that happened within a span."""

    time_unix_nano: int = 0
    name: str | None = None
    attributes: Raws = None


class Link(Message):
    """Another span that belongs to one."""

    trace_id: str | None = None
    span_id: str | None = None
    trace_state: str | None = None
    attributes: Raws = None


class Status(Message):
    """How a span went."""

    code: Number = 0
    message: str | None = None


class Span(Message):
    """Something that took time."""

    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    trace_state: str | None = None
    name: str | None = None
    kind: Number = 0
    start_time_unix_nano: int = 0
    end_time_unix_nano: int = 0
    attributes: Raws = None
    dropped_attributes_count: int = 0
    events: list[Event] | None = None
    dropped_events_count: int = 0
    links: list[Link] | None = None
    dropped_links_count: int = 0
    status: Status = msgspec.field(default_factory=Status)


class ScopeSpans(Message):
    """Spans of one library."""

    scope: Scope = msgspec.field(default_factory=Scope)
    spans: list[Span] | None = None


class ResourceSpans(Message):
    """Spans of one process."""

    resource: Resource = msgspec.field(default_factory=Resource)
    scope_spans: list[ScopeSpans] | None = None


class Traces(Message):
    """The body of `/v1/traces`."""

    resource_spans: list[ResourceSpans] | None = None


class LogRecord(Message):
    """A line."""

    time_unix_nano: int = 0
    observed_time_unix_nano: int = 0
    severity_number: Number = 0
    severity_text: str | None = None
    body: Raw = Raw(b"")
    attributes: Raws = None
    dropped_attributes_count: int = 0
    trace_id: str | None = None
    span_id: str | None = None
    event_name: str | None = None


class ScopeLogs(Message):
    """Lines of one library."""

    scope: Scope = msgspec.field(default_factory=Scope)
    log_records: list[LogRecord] | None = None


class ResourceLogs(Message):
    """Lines of one process."""

    resource: Resource = msgspec.field(default_factory=Resource)
    scope_logs: list[ScopeLogs] | None = None


class Logs(Message):
    """The body of `/v1/logs`."""

    resource_logs: list[ResourceLogs] | None = None


class AnyValue(Message):
    """A value of any kind: one of these is said."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | None = None
    double_value: float | None = None
    array_value: ArrayValue | None = None
    kvlist_value: KeyValueList | None = None
    bytes_value: bytes | None = None

    def plain(self) -> Any:
        """What it says, as Python has it."""
        if self.array_value is not None:
            return [part.plain() for part in self.array_value.values or ()]
        if self.kvlist_value is not None:
            return {part.key: part.plain() for part in self.kvlist_value.values or ()}
        for name in ("string_value", "bool_value", "int_value", "double_value", "bytes_value"):
            if (told := getattr(self, name)) is not None:
                return told
        return None


class ArrayValue(Message):
    """Several values."""

    values: list[AnyValue] | None = None


class KeyValue(Message):
    """One attribute."""

    key: str = ""
    value: AnyValue | None = None

    def plain(self) -> Any:
        """What its value says."""
        return None if self.value is None else self.value.plain()


class KeyValueList(Message):
    """Several attributes."""

    values: list[KeyValue] | None = None
