"""A span as span processors and exporters of OpenTelemetry read it."""

from __future__ import annotations

from time import perf_counter_ns, time_ns
from types import MappingProxyType

from opentelemetry.trace import Link, SpanContext, Status, StatusCode

from qmon_sdk.json_text import array, members, quoted, texts
from qmon_sdk.rendering import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from opentelemetry.trace import SpanKind

    from .resource import Scope
    from .tracer import Tracer


class Event:
    """Something that happened within a span."""

    __slots__ = ("attributes", "name", "timestamp")

    def __init__(self, timestamp: int, name: str, attributes: Mapping[str, Any]) -> None:
        self.timestamp = timestamp
        self.name = name
        self.attributes = MappingProxyType(dict(attributes))

    dropped_attributes = 0


class ReadableSpan:
    """What can be read of a span at any time; nothing here is on the way of recording it."""

    __slots__ = ()

    _above: SpanContext | None
    _attributes: dict[str, Any]
    _began: int | None
    _description: str | None
    _dropped: dict[str, int]
    _ended: int
    _events: list[Any]
    _kind: SpanKind
    _links: list[Any]
    _name: str
    _parent: Any
    _start: int
    _status: StatusCode
    _tracer: Tracer
    get_span_context: Any

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    @property
    def kind(self) -> SpanKind:
        """How it stands to its parent."""
        return self._kind

    @property
    def context(self) -> SpanContext:
        """Its ids."""
        found: SpanContext = self.get_span_context()
        return found

    @property
    def parent(self) -> SpanContext | None:
        """The ids of its parent, if it has one."""
        if self._above is not None:
            return self._above
        parent = self._parent
        if not parent:
            return None
        api = getattr(parent, "api", None)
        if api is not None:
            found: SpanContext = api.get_span_context()
            return found
        own = self.context
        return SpanContext(own.trace_id, int(parent), False, own.trace_flags, own.trace_state)

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Its attributes, as they were set."""
        return MappingProxyType(self._attributes)

    @property
    def events(self) -> Sequence[Event]:
        """What happened within it."""
        return tuple(Event(*event) for event in self._events or ())

    @property
    def links(self) -> Sequence[Link]:
        """What it is linked to."""
        return tuple(Link(*link) for link in self._links or ())

    @property
    def status(self) -> Status:
        """How it went."""
        return Status(self._status, self._description)

    @property
    def start_time(self) -> int:
        """When it began, in nanoseconds since 1970."""
        return self._start + _since() if self._began is None else self._began

    @property
    def end_time(self) -> int | None:
        """When it ended; `None` while it is open."""
        return self.start_time + self._ended - self._start if self._ended else None

    @property
    def resource(self) -> Any:
        """Who speaks."""
        return self._tracer.provider.resource

    @property
    def instrumentation_scope(self) -> Scope:
        """Which library made it."""
        return self._tracer.scope

    instrumentation_info = instrumentation_scope
    _start_time = start_time  # read by tools that know OpenTelemetry's SDK too well
    _end_time = end_time

    @property
    def dropped_attributes(self) -> int:
        """How many had no room."""
        return self._dropped.get("attributes", 0)

    @property
    def dropped_events(self) -> int:
        """How many had no room."""
        return self._dropped.get("events", 0)

    @property
    def dropped_links(self) -> int:
        """How many had no room."""
        return self._dropped.get("links", 0)

    def to_json(self, indent: int | None = 4) -> str:
        """Write what it is, much as OpenTelemetry's SDK does."""
        context, parent = self.context, self.parent
        ids = {"trace_id": f"0x{context.trace_id:032x}", "span_id": f"0x{context.span_id:016x}"}
        inside = members(
            ("name", quoted(self._name)),
            ("context", texts({**ids, "trace_state": repr(context.trace_state)})),
            ("kind", quoted(str(self._kind))),
            ("parent_id", quoted(f"0x{parent.span_id:016x}") if parent else "null"),
            ("start_time", quoted(_stamp(self.start_time))),
            ("end_time", quoted(_stamp(self.end_time)) if self._ended else "null"),
            ("status", texts({"status_code": self._status.name})),
            ("attributes", _labels(self._attributes)),
            ("events", array([_event(event) for event in self.events])),
            ("links", array([_labels(link.attributes or {}) for link in self.links])),
            ("resource", self.resource.to_json()),
        )
        return "{" + inside + "}"


def _since() -> int:
    """Return the nanoseconds from 1970 to the zero of the clock that measures spans."""
    return time_ns() - perf_counter_ns()


def _stamp(time: int | None) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp((time or 0) / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _labels(attributes: Mapping[str, Any]) -> str:
    return texts({key: label(value) for key, value in attributes.items()})


def _event(event: Event) -> str:
    inside = members(
        ("name", quoted(event.name)),
        ("timestamp", quoted(_stamp(event.timestamp))),
        ("attributes", _labels(event.attributes)),
    )
    return "{" + inside + "}"
