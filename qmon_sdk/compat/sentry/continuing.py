"""Traces that go on: `sentry-trace` and `baggage`, in and out, beside the W3C's `traceparent`."""

from __future__ import annotations

from contextvars import copy_context

from qmon_sdk.client import current, guarded
from qmon_sdk.context import SCOPE
from qmon_sdk.propagation import inject
from qmon_sdk.recorder.cells import CELL, continue_position
from qmon_sdk.rendering import label
from qmon_sdk.w3c import Member, Parent, format_baggage, parse_baggage, parse_parent

from .spans import Transaction
from .tracing import get_current_span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SENTRY_TRACE, BAGGAGE, TRACEPARENT = "sentry-trace", "baggage", "traceparent"
_WANTED = (SENTRY_TRACE, BAGGAGE, TRACEPARENT)


def continue_trace(  # noqa: PLR0917 - Sentry's signature
    environ_or_headers: Mapping[str, Any],
    op: str | None = None,
    name: str | None = None,
    source: str | None = None,
    **more: Any,
) -> Transaction:
    """Make the transaction that goes on with a caller's trace, for `start_transaction` to begin."""
    context = copy_context()
    headers = _read(environ_or_headers) or {}
    parent, is_open = _parent(headers)
    if parent is not None:
        if is_open:
            parent = parent.replace(sampled=_chosen(parent, label(name)))
        place = continue_position(parent.trace_id, parent.span_id, sampled=parent.sampled)
        context.run(place.__enter__)
        context.run(_take_along, headers.get(BAGGAGE, ""))
    sampled = None if parent is None or is_open else parent.sampled
    options = {"op": op, "source": source or "custom", "parent_sampled": sampled, **more}
    return Transaction(label(name), **options, _context=context)


def _take_along(baggage: str) -> None:
    SCOPE.set(SCOPE.get().replace(baggage=baggage))


def _chosen(parent: Parent, name: str) -> bool:
    """Decide about a trace that its caller left open."""
    recorder = current().recorder
    return recorder is not None and recorder.sampler.keeps(int(parent.trace_id[16:], 16), name)


@guarded
def _read(carrier: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    for key, value in carrier.items():
        name = key.lower().removeprefix("http_").replace("_", "-") if type(key) is str else ""
        if name in _WANTED and isinstance(value, str):
            headers[name] = value
    return headers


def _parent(headers: Mapping[str, str]) -> tuple[Parent | None, bool]:
    """Find the caller's span, and whether it left open if the trace is kept."""
    trace_id, _, rest = headers.get(SENTRY_TRACE, "").strip().partition("-")
    span_id, _, sampled = rest.partition("-")
    parent = parse_parent(f"00-{trace_id.lower()}-{span_id.lower()}-0{sampled or 1}")
    if parent is None:
        return parse_parent(headers.get(TRACEPARENT, "")), False
    return parent, not sampled


def get_traceparent() -> str | None:
    """Say where this is in its trace, as a `sentry-trace` header does; `None` outside of any."""
    return headers_out().get(SENTRY_TRACE)


def get_baggage() -> str | None:
    """Say what goes along with the trace."""
    return headers_out().get(BAGGAGE)


def headers_out() -> dict[str, str]:
    """Write the headers by which another process goes on with the trace; none outside of any."""
    headers = dict(inject(formats=("sentry", "tracecontext")))
    if SENTRY_TRACE in headers:
        headers[BAGGAGE] = _baggage(headers[SENTRY_TRACE].partition("-")[0])
    return headers


def _baggage(trace_id: str) -> str:
    settings, span = current().settings, get_current_span()
    transaction = None if span is None else span.containing_transaction
    said = {
        "trace_id": trace_id,
        "environment": settings.environment,
        "release": settings.release,
        "transaction": "" if transaction is None else transaction.name,
        "sampled": "true" if CELL.get().kept else "false",
    }
    members = [Member(key=f"sentry-{key}", value=text) for key, text in said.items() if text]
    others = [one for one in parse_baggage(SCOPE.get().baggage) if one.key[:7] != "sentry-"]
    return format_baggage([*members, *others])


def trace_propagation_meta(*_: Any, **__: Any) -> str:
    """Write the headers as HTML, for a page to go on with the trace."""
    from html import escape

    return "".join(
        f'<meta name="{name}" content="{escape(value)}">' for name, value in headers_out().items()
    )
