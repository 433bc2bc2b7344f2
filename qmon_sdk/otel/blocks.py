"""The block of a span: `with tracer.start_as_current_span(name):`, also as a decorator."""

from __future__ import annotations

from qmon_sdk.around import around
from qmon_sdk.client import failed
from qmon_sdk.recorder.cells import CELL

from .places import stay
from .span import RecordingSpan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from opentelemetry.trace import Span

    from qmon_sdk.recorder.cells import Cell

    from .places import Stay
    from .tracer import Tracer

    F = TypeVar("F", bound=Callable[..., Any])


class SpanBlock:
    """One span made current by each `with`; as a decorator, one by each call."""

    __slots__ = ("_ends", "_inner", "_outer", "_span", "_stay", "_told", "_tracer")

    def __init__(self, tracer: Tracer, told: tuple[Any, ...], ends: bool) -> None:
        self._tracer = tracer
        self._told = told
        self._ends = ends
        self._inner: Cell | None = None
        self._stay: Stay | None = None

    def __enter__(self) -> Span:
        """Begin."""
        span = self._span = self._tracer.begin(self._told)
        try:
            if type(span) is RecordingSpan and self._told[1] is None:
                outer = self._outer = CELL.get()  # this thread's, as it has just begun a span
                inner = self._inner = span.inside(outer)
                CELL.set(inner)
            else:
                self._stay = stay(span)
        except Exception as error:  # noqa: BLE001 - the guard: we are inside of somebody's call
            failed("start_as_current_span", error)
        return span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: object
    ) -> None:
        """End, however it went."""
        span = self._span
        if error is not None and type(span) is RecordingSpan:
            span.failed(error)
        inner = self._inner
        if inner is not None:
            if CELL.get() is inner:  # in another context by now: leave that one alone
                CELL.set(self._outer)
        elif self._stay is not None:
            self._stay.end()
        if self._ends:
            span.end()

    def __call__(self, function: F) -> F:
        """Have every call of a function in a span of its own."""
        tracer, told, ends = self._tracer, self._told, self._ends
        return around(function, lambda: SpanBlock(tracer, told, ends))
