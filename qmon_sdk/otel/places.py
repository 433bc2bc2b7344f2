"""Where a span is the current one: OpenTelemetry's spans at their places in qmon's own context.

A cell (`recorder.cells`) says where the running code stands in its trace, for native spans and for
OpenTelemetry's alike; so each kind is the other's parent, whichever is open. For a span of the API
the cell holds `Here`, which is the span's id and knows the span.
"""

from __future__ import annotations

from opentelemetry.trace import INVALID_SPAN, Span

from qmon_sdk.context import SCOPE
from qmon_sdk.recorder.cells import CELL, here
from qmon_sdk.spans import OpenSpan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from opentelemetry.context import Context
    from opentelemetry.trace import SpanContext

    from qmon_sdk.context import Scope
    from qmon_sdk.recorder.cells import Cell

LOW = (1 << 64) - 1


class Here(OpenSpan):
    """The id of a span of the API in the cell where it is current.

    What native code says to `current_span()` reaches the span.
    """

    api: Span
    merged: tuple[Context, Context] | None = None
    """OpenTelemetry's context before, and with the span."""

    @property
    def attributes(self) -> Any:  # type: ignore[override]
        """Take attributes."""
        return Told(self.api)

    @property
    def status(self) -> str:
        """Take a status."""
        return ""

    @status.setter
    def status(self, status: str) -> None:
        from opentelemetry.trace import StatusCode

        code = getattr(StatusCode, status.upper(), None)
        if code is not None:
            self.api.set_status(code)

    @property
    def name(self) -> str:
        """Take a name."""
        return ""

    @name.setter
    def name(self, name: str) -> None:
        self.api.update_name(name)


class Told:
    """The attributes of a span of the API, as far as a native span writes them."""

    __slots__ = ("_api",)

    def __init__(self, api: Span) -> None:
        self._api = api

    def __setitem__(self, key: str, value: Any) -> None:
        self._api.set_attribute(key, value)

    def update(self, attributes: Mapping[str, Any]) -> None:
        """Take several."""
        self._api.set_attributes(attributes)


_made = int.__new__


def here_of(api: Span, identity: int) -> Here:
    """Make the place of a span."""
    place: Here = _made(Here, identity)
    place.api = api
    return place


class Stay:
    """One span being current somewhere, until it is left; leaving it elsewhere does nothing."""

    __slots__ = ("_carried", "_inner", "_outer", "_scope")

    def __init__(self, inner: Cell, outer: Cell, tracestate: str | None) -> None:
        self._inner = inner
        self._outer = outer
        self._scope: Scope | None = None
        self._carried: Scope | None = None
        CELL.set(inner)
        if tracestate is not None:
            self._carry(tracestate)

    def _carry(self, tracestate: str) -> None:
        """Have `inject` pass on what other systems say about the trace."""
        scope = SCOPE.get()
        if scope.tracestate != tracestate:
            self._scope, self._carried = scope, scope.replace(tracestate=tracestate)
            SCOPE.set(self._carried)

    def end(self) -> None:
        """Go back to where it was."""
        if CELL.get() is self._inner:
            CELL.set(self._outer)
            if self._scope is not None:
                scope = SCOPE.get()  # perhaps with a user or tags that were set meanwhile
                is_ours = scope is self._carried
                before = self._scope
                SCOPE.set(before if is_ours else scope.replace(tracestate=before.tracestate))


def stay(span: Span | None) -> Stay | None:
    """Make a span current, or none; `None` when it is already, or nobody records."""
    outer = here()
    if outer is None:
        return None
    inside = outer.span
    context = (span or INVALID_SPAN).get_span_context()
    if not context.is_valid:
        return Stay(outer.child(0), outer, None) if inside else None
    if type(inside) is Here and inside.api is span:
        return None
    native = getattr(span, "native_id", None)  # the view of a native span
    if native is not None and native == inside:
        return None
    return _moved(outer, span, context)


def _moved(outer: Cell, span: Any, context: SpanContext) -> Stay:
    state = context.trace_state
    header = state.to_header() if state else ""
    if hasattr(span, "inside"):
        return Stay(span.inside(outer), outer, header)
    is_native = getattr(span, "native_id", None) is not None
    place = context.span_id if is_native else here_of(span, context.span_id)
    inner = outer.child(place)
    inner.trace_hi, inner.trace_lo = context.trace_id >> 64, context.trace_id & LOW
    inner.keep(context.trace_flags.sampled)
    return Stay(inner, outer, header)
