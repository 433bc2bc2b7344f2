"""The open native span, as OpenTelemetry's API sees it."""

from __future__ import annotations

from _thread import get_ident
from time import time_ns

from opentelemetry.trace import Span, SpanContext, Status, StatusCode, TraceFlags, TraceState

from qmon_sdk.capture import capture_exception
from qmon_sdk.client import current, guarded
from qmon_sdk.context import SCOPE
from qmon_sdk.recorder.cells import MORE
from qmon_sdk.spans import OpenSpan

from .telling import event_text, exception_attributes
from .values import moment, snapshot, text, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from qmon_sdk.recorder.cells import Cell

SAMPLED, NOT_SAMPLED = TraceFlags(TraceFlags.SAMPLED), TraceFlags(0)
_MOST_EVENTS_TEXT = 1 << 16


def state_of(header: str) -> TraceState | None:
    """Read a `tracestate`."""
    return TraceState.from_header([header]) if header else None


class NativeSpan(Span):
    """A span of `@instrument` or `span()`, which ends by itself: `end` here does nothing."""

    __slots__ = ("_cell", "_context", "native_id")

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self.native_id = int(cell.span)
        self._context = SpanContext(
            cell.trace_hi << 64 | cell.trace_lo,
            self.native_id,
            is_remote=False,
            trace_flags=SAMPLED if cell.kept else NOT_SAMPLED,
            trace_state=state_of(SCOPE.get().tracestate),
        )

    def _opened(self) -> OpenSpan | None:
        """Find what can be told something: not after the end, nor from another thread."""
        cell = self._cell
        span = cell.span
        if cell.thread != get_ident() or span != self.native_id or not cell.lane.allowed:
            return None
        if not isinstance(span, OpenSpan):
            cell.span = span = OpenSpan(span)
        return span

    def end(self, end_time: int | None = None) -> None:
        """Do nothing: who opened it ends it."""

    def get_span_context(self) -> SpanContext:
        return self._context

    def is_recording(self) -> bool:
        return self._cell.span == self.native_id and self._cell.kept

    @guarded
    def set_attribute(self, key: str, value: Any) -> None:
        if opened := self._opened():
            opened.attributes[key] = text(snapshot(value), current().scrubber.hides)

    @guarded
    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        for key, value in attributes.items():
            self.set_attribute(key, value)

    @guarded
    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        if opened := self._opened():
            told = snapshot(dict(attributes or {}))
            event = (moment(timestamp) or time_ns(), word(name), told)
            written = event_text(event, current().scrubber)
            before, links, began = opened.attributes.get(MORE) or ("", "", None)
            if len(before) < _MOST_EVENTS_TEXT:
                events = f"{before[:-1]},{written}]" if before else f"[{written}]"
                opened.attributes[MORE] = (events, links, began)

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        """Do nothing: native spans have no links."""

    @guarded
    def update_name(self, name: str) -> None:
        if opened := self._opened():
            opened.name = word(name)

    @guarded
    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        code, said = status, description
        if isinstance(status, Status):
            code, said = status.status_code, status.description
        opened = self._opened()
        if opened is None or opened.status == "ok" or code is StatusCode.UNSET:
            return
        opened.status = "ok" if code is StatusCode.OK else "error"
        if said and code is StatusCode.ERROR:
            opened.attributes["otel.status_description"] = said

    @guarded
    def record_exception(
        self,
        exception: BaseException,
        attributes: Any = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        told = exception_attributes(exception, escaped=escaped)
        if error_id := capture_exception(exception):
            told["qmon.error.id"] = error_id
        self.add_event("exception", {**told, **(attributes or {})}, timestamp)
