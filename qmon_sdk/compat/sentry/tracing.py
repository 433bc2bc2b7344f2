"""Spans and transactions: how they begin, and which is the current one."""

from __future__ import annotations

from qmon_sdk.recorder.cells import CELL
from qmon_sdk.rendering import label

from .span_words import kind_of
from .spans import HERE, FoundSpan, Span, Transaction, begun, known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def start_span(*, span: Span | None = None, **kwargs: Any) -> Span:
    """Begin a span inside the current one; without one it begins a trace of its own."""
    if span is not None:
        return begun(span)
    current = get_current_span()
    transaction = None if current is None else current.containing_transaction
    return begun(Span(**known(kwargs), _transaction=transaction))


def start_transaction(
    transaction: Transaction | None = None,
    *,
    custom_sampling_context: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Transaction:
    """Begin a transaction, or the one that `continue_trace` made."""
    made = transaction if transaction is not None else Transaction(**known(kwargs))
    made.sampling(custom_sampling_context)
    made.begin()
    return made


def get_current_span(scope: Any = None) -> Span | None:
    """Return the open span of this context, whoever began it; `None` outside of any."""
    del scope
    cell, span = CELL.get(), HERE.get()
    if not cell.span or not cell.lane.allowed:
        return None
    return span if span is not None and span._cell is cell else FoundSpan()  # noqa: SLF001 - ours


def set_measurement(name: str, value: float, unit: str = "") -> None:
    """Keep a number with the current transaction."""
    span = get_current_span()
    if span is not None:
        (span.containing_transaction or span).set_measurement(name, value, unit)


def update_current_span(  # noqa: PLR0917 - Sentry's signature
    op: str | None = None,
    name: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Say more of the current span."""
    span = get_current_span()
    if span is None:
        return
    if op is not None:
        span.op = op
    if name is not None:
        span.name = name
    span.update_data({**(data or {}), **(attributes or {})})


def trace(
    func: Any = None,
    *,
    op: str | None = None,
    name: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    **_: Any,
) -> Any:
    """Make every call of a function a span."""
    from qmon_sdk.decorators import instrument

    kept = {label(key): label(value) for key, value in (attributes or {}).items()}
    kept["sentry.op"] = op or "function"

    def decorate(function: Any) -> Any:
        module = getattr(function, "__module__", "")
        called = f"{module}.{getattr(function, '__qualname__', 'function')}"
        return instrument(function, name=name or called, kind=kind_of(op or ""), attributes=kept)

    return decorate if func is None else decorate(func)
