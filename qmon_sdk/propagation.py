"""Traces that go on in another process: `inject` on the way out, `continue_trace` on the way in."""

from __future__ import annotations

from .client import failed, guarded
from .context import SCOPE, new_scope
from .either_with import EitherWith
from .recorder.cells import CELL, continue_position, position
from .rendering import is_a
from .spans import span
from .w3c import (
    Parent,
    format_baggage,
    format_parent,
    format_states,
    parse_baggage,
    parse_parent,
    parse_states,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
    from types import TracebackType
    from typing import Any, Self

    Carrier = Mapping[Any, Any] | Iterable[tuple[Any, Any]]

TRACEPARENT, TRACESTATE, BAGGAGE = "traceparent", "tracestate", "baggage"
_WANTED = frozenset({TRACEPARENT, TRACESTATE, BAGGAGE})


def inject(
    carrier: MutableMapping[str, str] | None = None, *, formats: Iterable[str] | None = None
) -> MutableMapping[str, str]:
    """Write where this code stands in its trace into headers, and return them.

    `formats`: `tracecontext` and `baggage` (W3C) by default; `b3` and `sentry` on request. Outside
    of a span nothing is written but the baggage that came in.
    """
    headers: MutableMapping[str, str] = {} if carrier is None else carrier
    try:
        for name in formats if formats is not None else ("tracecontext", "baggage"):
            headers.update(FORMATS[name]())
    except Exception as error:  # noqa: BLE001 - the guard; the carrier is answered in any case
        failed("inject", error)
    return headers


def _here() -> Parent | None:
    trace_id, span_id = position()
    if not trace_id:
        return None
    return Parent(trace_id=trace_id, span_id=span_id, sampled=CELL.get().kept)


def _trace_context() -> dict[str, str]:
    here = _here()
    if here is None:
        return {}
    came = SCOPE.get().tracestate
    states = format_states(parse_states(came)) if came else ""
    return {TRACEPARENT: format_parent(here)} | ({TRACESTATE: states} if states else {})


def _baggage() -> dict[str, str]:
    # Parsed and written anew: what came in may hold anything, and goes into a header again.
    came = SCOPE.get().baggage
    text = format_baggage(parse_baggage(came)) if came else ""
    return {BAGGAGE: text} if text else {}


def _b3() -> dict[str, str]:
    here = _here()
    return {"b3": f"{here.trace_id}-{here.span_id}-{int(here.sampled)}"} if here else {}


def _sentry() -> dict[str, str]:
    here = _here()
    return {"sentry-trace": f"{here.trace_id}-{here.span_id}-{int(here.sampled)}"} if here else {}


FORMATS: dict[str, Callable[[], dict[str, str]]] = {
    "tracecontext": _trace_context,
    "baggage": _baggage,
    "b3": _b3,
    "sentry": _sentry,
}


class continue_trace(EitherWith):  # noqa: N801 - a context manager reads like a function
    """Go on with the trace that headers tell of, in a `with` or `async with` block.

    `carrier` is a mapping or pairs, of texts or bytes, in any case, also a WSGI environment. Wrong
    headers are as good as none: spans inside then begin a trace of their own. With a `name`, the
    block is a span.
    """

    __slots__ = ("_carrier", "_name", "_open")

    def __init__(self, carrier: Carrier | None, *, name: str | None = None) -> None:
        self._carrier = carrier
        self._name = name
        self._open: list[Any] = []

    def __enter__(self) -> Self:
        """Take the caller's place in the trace."""
        self._enter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back."""
        while self._open:
            self._open.pop().__exit__(kind, error, trace)

    @guarded
    def _enter(self) -> None:
        headers = headers_of(self._carrier or {})
        parent = parse_parent(headers.get(TRACEPARENT, ""))
        self._stack(new_scope())
        scope = SCOPE.get()
        tracestate = headers.get(TRACESTATE, "") if parent is not None else ""
        SCOPE.set(scope.replace(tracestate=tracestate, baggage=headers.get(BAGGAGE, "")))
        if parent is not None:
            self._stack(continue_position(parent.trace_id, parent.span_id, sampled=parent.sampled))
        if self._name:
            self._stack(span(self._name))

    def _stack(self, block: Any) -> None:
        block.__enter__()
        self._open.append(block)


def headers_of(carrier: Carrier) -> dict[str, str]:
    """Read the three headers from whatever carries them; two `traceparent`s are none."""
    headers: dict[str, str] = {}
    for name, value in _pairs(carrier):
        key = name.lower().removeprefix("http_")
        if key not in _WANTED:
            continue
        if key in headers:
            headers[key] = "" if key == TRACEPARENT else f"{headers[key]},{value}"
        else:
            headers[key] = value
    return headers


def _pairs(carrier: Any) -> Iterator[tuple[str, str]]:
    for name, value in carrier.items() if hasattr(carrier, "items") else carrier:
        texts = _text(name), _text(value)
        if texts[0] is not None and texts[1] is not None:
            yield texts[0], texts[1]


def _text(value: Any) -> str | None:
    kind = type(value)
    if kind is str:
        return str(value)
    if is_a(kind, bytes):
        return bytes.decode(value, "latin-1")
    return str.__getitem__(value, slice(None)) if is_a(kind, str) else None
