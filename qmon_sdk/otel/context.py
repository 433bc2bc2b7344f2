"""OpenTelemetry's context, whose current span is the open one of qmon, whoever opened it."""

from __future__ import annotations

import opentelemetry.context as api
from opentelemetry.context.context import Context, _RuntimeContext
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.trace import Span
from opentelemetry.trace.propagation import _SPAN_KEY

from qmon_sdk.client import failed
from qmon_sdk.recorder.cells import CELL

from .native import NativeSpan
from .places import Here, stay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .places import Stay


class Token:
    """What `attach` gives for `detach`."""

    __slots__ = ("inner", "stay")

    def __init__(self, inner: Any, stay: Stay | None) -> None:
        self.inner = inner
        self.stay = stay


class QmonRuntimeContext(_RuntimeContext):
    """Keeps every value in the context it stands around, and the current span at qmon's own place.

    Leaving a context in another task or thread is silent, and leaves that one alone.
    """

    def __init__(self, inner: _RuntimeContext | None = None) -> None:
        self._inner = inner or ContextVarsRuntimeContext()

    def attach(self, context: Context) -> Any:
        """Take a context, and make its span the current one for native code too."""
        token = self._inner.attach(context)
        try:
            span = context.get(_SPAN_KEY)
            return Token(token, stay(span if isinstance(span, Span) else None))
        except Exception as error:  # noqa: BLE001 - the guard: we are inside of somebody's call
            failed("attach", error)
            return Token(token, None)

    def detach(self, token: Any) -> None:
        """Go back to the context before."""
        if type(token) is not Token:
            self._inner.detach(token)  # of the time before qmon took over
            return
        if token.stay is not None:
            token.stay.end()
        try:
            self._inner.detach(token.inner)
        except (RuntimeError, ValueError):  # attached in another context, or left already
            return

    def get_current(self) -> Context:
        """Return the context, with the innermost open span in it."""
        context = self._inner.get_current()
        cell = CELL.get()
        inside = cell.span
        if not inside or not cell.lane.allowed:
            return context
        if type(inside) is Here:
            return _merged(context, inside)
        if getattr(context.get(_SPAN_KEY), "native_id", None) == inside:
            return context
        return Context({**context, _SPAN_KEY: NativeSpan(cell)})


def _merged(context: Context, inside: Here) -> Context:
    if context.get(_SPAN_KEY) is inside.api:
        return context
    before = inside.merged
    if before is None or before[0] is not context:
        inside.merged = before = context, Context({**context, _SPAN_KEY: inside.api})
    return before[1]


def take_over() -> None:
    """Stand around the context that OpenTelemetry uses in this process, once."""
    before = api._RUNTIME_CONTEXT  # noqa: SLF001 - there is no other way to change it late
    if not isinstance(before, QmonRuntimeContext):
        api._RUNTIME_CONTEXT = QmonRuntimeContext(before)  # noqa: SLF001 - as above
