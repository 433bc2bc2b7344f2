"""What happened within a span and what it is linked to, as JSON that is free of secrets."""

from __future__ import annotations

from qmon_sdk.anatomy import chain_of, message_of, trace_of
from qmon_sdk.json_text import array, members, quoted, texts
from qmon_sdk.rendering import label, type_name

from .values import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from opentelemetry.trace import SpanContext

    from qmon_sdk.scrub import Scrubber

    Happened = tuple[int, str, Mapping[str, Any]]
    """When (nanoseconds since 1970), what, and snapshots of attributes."""

    Linked = tuple[SpanContext, Mapping[str, Any]]

MAX_MESSAGE = 1024
MAX_STACK = 8192


def events_text(events: Iterable[Happened], scrubber: Scrubber) -> str:
    """Write events as `protocol.signals.Span` has them."""
    return array([event_text(event, scrubber) for event in events])


def event_text(event: Happened, scrubber: Scrubber) -> str:
    """Write one event."""
    time, name, attributes = event
    inside = members(
        ("time", str(int(time))),
        ("name", quoted(scrubber.text(label(name)))),
        ("attributes", _labels(attributes, scrubber)),
    )
    return "{" + inside + "}"


def links_text(links: Iterable[Linked], scrubber: Scrubber) -> str:
    """Write links as `protocol.signals.Span` has them."""
    return array([_link_text(link, scrubber) for link in links])


def _link_text(link: Linked, scrubber: Scrubber) -> str:
    context, attributes = link
    state = context.trace_state
    inside = members(
        ("trace_id", quoted(f"{context.trace_id:032x}")),
        ("span_id", quoted(f"{context.span_id:016x}")),
        ("tracestate", quoted(state.to_header() if state else "")),
        ("attributes", _labels(attributes, scrubber)),
    )
    return "{" + inside + "}"


def _labels(attributes: Mapping[str, Any], scrubber: Scrubber) -> str:
    hides = scrubber.hides
    told = {key: text(value, hides) for key, value in attributes.items()}
    return texts(scrubber.labels(told))


def exception_attributes(error: BaseException, *, escaped: bool) -> dict[str, Any]:
    """Say an exception in OpenTelemetry's words."""
    return {
        "exception.type": type_name(type(error)),
        "exception.message": message_of(error, MAX_MESSAGE),
        "exception.stacktrace": stacktrace_of(error),
        "exception.escaped": str(escaped),
    }


def stacktrace_of(error: BaseException) -> str:
    """Write an exception and its causes as Python prints them, without reading source files."""
    told = "\n\n".join(_printed(link) for _, link in reversed(chain_of(error)))
    return told[-MAX_STACK:]


def _printed(error: BaseException) -> str:
    entries, _ = trace_of(error)
    lines = ["Traceback (most recent call last):"] if entries else []
    for entry in entries:
        code = entry.tb_frame.f_code
        lines.append(f'  File "{code.co_filename}", line {entry.tb_lineno}, in {code.co_name}')
    return "\n".join([*lines, f"{type_name(type(error))}: {message_of(error, MAX_MESSAGE)}"])
