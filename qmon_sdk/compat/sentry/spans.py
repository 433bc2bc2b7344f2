"""Sentry's spans and transactions, each a span of qmon's.

A span of Sentry's exists before it is entered and may never be; so each begins in a copy of its
parent's context, and takes its place in the running one only while it is entered.
"""

from __future__ import annotations

from contextvars import ContextVar, copy_context

from qmon_sdk.client import guarded
from qmon_sdk.context import SCOPE
from qmon_sdk.recorder.cells import CELL
from qmon_sdk.rendering import label
from qmon_sdk.spans import SILENT_SPAN
from qmon_sdk.spans import current_span as native_current
from qmon_sdk.spans import span as native_span

from .span_words import ERROR, MAX_NAME, OK, UNSET, is_fault_of_ours, kind_of, name_of, status_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextvars import Context
    from typing import Any, Self

    from qmon_sdk.recorder.cells import Cell

SAMPLING: ContextVar[dict[str, Any] | None] = ContextVar("qmon_sentry_sampling", default=None)
"""What `traces_sampler` is told of the transaction that is about to begin."""

HERE: ContextVar[Span | None] = ContextVar("qmon_sentry_span", default=None)


class Span:
    """An operation that takes time; every method is safe at any time."""

    __slots__ = (
        "_before", "_cell", "_context", "_is_begun", "_is_over", "_name", "_native", "_op", "_span",
        "_status", "_told", "_transaction", "origin", "parent_span_id",
    )  # fmt: skip

    def __init__(
        self,
        *,
        op: str | None = None,
        name: str | None = None,
        description: str | None = None,
        status: str | None = None,
        **more: Any,
    ) -> None:
        self._context: Context = more.pop("_context", None) or copy_context()
        self._transaction: Span | None = more.pop("_transaction", None)
        self._op = label(op)
        self._name = label(name if name is not None else description, MAX_NAME)
        self._status = ""
        self._native = native_span(name_of(self._op, self._name), kind=kind_of(self._op))
        self._span = SILENT_SPAN
        self._cell: Cell | None = None
        self._before: tuple[Cell, Span | None] | None = None
        self._is_begun = self._is_over = False
        self.parent_span_id: str | None = None
        self.origin = label(more.get("origin") or "manual")
        self._told: dict[str, object] = {}
        if self._op:
            self.set_data("sentry.op", self._op)
        if status:
            self.set_status(status)

    @guarded
    def begin(self) -> None:
        """Start the clock, once."""
        if self._is_begun:
            return
        self._is_begun = True
        outer = self._context.get(CELL)
        self._span = self._context.run(self._native.__enter__)
        if self._span.is_recording():
            self._cell = self._context[CELL]
            if outer is not None and outer.span:
                self.parent_span_id = f"{outer.span:016x}"
            self._context.run(HERE.set, self)
            self._span.set_attributes(self._told)

    @guarded
    def finish(self, scope: Any = None, end_timestamp: Any = None, **_: Any) -> None:
        """Stop the clock; once is enough."""
        del scope, end_timestamp
        self._finish(None)

    def _finish(self, error: BaseException | None) -> None:
        if self._is_over or not self._is_begun:
            return
        self._is_over = True
        if error is not None and isinstance(error, Exception) and not self._status:
            self.set_status("internal_error")
        self._context.run(self._close, error)

    def _close(self, error: BaseException | None, scope: Any = None) -> None:
        if scope is not None:
            SCOPE.set(scope)
        self._native.__exit__(None if error is None else type(error), error, None)

    def __enter__(self) -> Self:
        """Become the current span."""
        self._enter()
        return self

    @guarded
    def _enter(self) -> None:
        self.begin()
        if self._cell is not None:
            self._before = CELL.get(), HERE.get()
            CELL.set(self._cell)
            HERE.set(self)

    def __exit__(self, ty: object, value: BaseException | None, tb: object) -> None:
        """Finish, and be it no longer."""
        self._leave(value)

    @guarded
    def _leave(self, error: BaseException | None) -> None:
        if not self._is_over and self._is_begun:
            # What is known of the user in the end counts, not what was in the beginning.
            self._context.run(SCOPE.set, SCOPE.get())
        self._finish(error)
        if self._before is not None and CELL.get() is self._cell:
            CELL.set(self._before[0])
            HERE.set(self._before[1])
        self._before = None

    def start_child(self, **kwargs: Any) -> Span:
        """Begin a span inside this one, whatever is current."""
        self.begin()
        inside = {"_context": self._context.copy(), "_transaction": self.containing_transaction}
        return begun(Span(**{**known(kwargs), **inside}))

    # --- what is said of it --------------------------------------------------------------------

    @guarded
    def set_data(self, key: str, value: Any) -> None:
        """Keep an attribute."""
        self._told[label(key)] = value
        self._span.set_attribute(label(key), value)

    def update_data(self, data: Mapping[str, Any]) -> None:
        """Keep several."""
        for key, value in data.items():
            self.set_data(key, value)

    set_attribute, set_attributes = set_data, update_data

    def set_tag(self, key: str, value: Any) -> None:
        """Keep a tag."""
        self.set_data(f"tag.{label(key)}", value)

    def set_flag(self, flag: str, result: Any) -> None:
        """Note how a feature flag was answered."""
        self.set_data(label(flag), result)

    def set_measurement(self, name: str, value: float, unit: str = "") -> None:
        """Keep a number, and what it is of."""
        self.set_data(f"measurement.{label(name)}", value)
        if unit:
            self.set_data(f"measurement.{label(name)}.unit", unit)

    def set_context(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep some facts."""
        for name, fact in value.items():
            self.set_data(f"{label(key)}.{label(name)}", fact)

    @guarded
    def set_status(self, value: Any) -> None:
        """Say how it went, in one of Sentry's words."""
        self._status = label(getattr(value, "value", value))
        self.set_data("sentry.status", self._status)
        self._span.set_status(OK if self._status == OK else ERROR)

    @guarded
    def set_http_status(self, http_status: int) -> None:
        """Say how it went, by an HTTP status."""
        status = int(http_status)
        self.set_data("http.response.status_code", status)
        self.set_tag("http.status_code", status)
        self.set_status(status_of(status))
        is_ours = is_fault_of_ours(status) or kind_of(self._op) == "client"
        if self._status != OK and not is_ours:
            self._span.set_status(UNSET)  # the caller's fault is no fault of a server's

    def is_success(self) -> bool:
        """Say whether it went well."""
        return self._status == OK

    @property
    def status(self) -> str | None:
        """How it went."""
        return self._status or None

    @status.setter
    def status(self, value: Any) -> None:
        self.set_status(value)

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    @name.setter
    def name(self, value: Any) -> None:
        self._name = label(value, MAX_NAME)
        self._span.update_name(name_of(self._op, self._name))

    description = name

    @property
    def op(self) -> str:
        """What sort of work it is."""
        return self._op

    @op.setter
    def op(self, value: Any) -> None:
        self._op = label(value)
        self.set_data("sentry.op", self._op)

    # --- where it stands -----------------------------------------------------------------------

    @property
    def trace_id(self) -> str:
        """The trace, in 32 hexadecimal digits."""
        return self._span.trace_id

    @property
    def span_id(self) -> str:
        """The span, in 16."""
        return self._span.span_id

    @property
    def sampled(self) -> bool:
        """Whether it is kept."""
        return self._cell is not None and self._cell.kept

    @property
    def containing_transaction(self) -> Span | None:
        """The transaction that it is a part of."""
        return self._transaction

    def to_traceparent(self) -> str:
        """Say where it stands, as a `sentry-trace` header does."""
        return f"{self.trace_id}-{self.span_id}-{int(self.sampled)}"

    def iter_headers(self) -> Iterator[tuple[str, str]]:
        """Give the headers by which another process goes on with it."""
        from .continuing import headers_out

        return iter(self._context.copy().run(headers_out).items())

    def to_baggage(self) -> str | None:
        """Say what goes along, as a `baggage` header does."""
        return dict(self.iter_headers()).get("baggage")

    get_baggage = to_baggage

    def get_trace_context(self) -> dict[str, Any]:
        """Say where it stands."""
        context = {"trace_id": self.trace_id, "span_id": self.span_id, "op": self._op}
        return {**context, "parent_span_id": self.parent_span_id, "status": self.status}

    def to_json(self) -> dict[str, Any]:
        """Tell what is known of it."""
        return {**self.get_trace_context(), "description": self._name, "data": dict(self._told)}


class Transaction(Span):
    """The outermost span of something the program does."""

    __slots__ = ("_sampling", "parent_sampled", "source")

    def __init__(self, name: str = "", source: str = "custom", **more: Any) -> None:
        super().__init__(name=label(name) or "<unlabeled transaction>", **more)
        self.source = source
        self.parent_sampled: bool | None = more.get("parent_sampled")
        self._sampling: dict[str, Any] = {}

    @property
    def containing_transaction(self) -> Span:
        """Itself."""
        return self

    def sampling(self, custom: Mapping[str, Any] | None) -> None:
        """Take what only `traces_sampler` is to know."""
        self._sampling = dict(custom or {})

    @guarded
    def begin(self) -> None:
        """Start the clock; `traces_sampler` is asked now."""
        if self._is_begun:
            return
        asked = {"name": self._name, "op": self._op, "source": self.source}
        told = {"transaction_context": asked, "parent_sampled": self.parent_sampled}
        self._context.run(SAMPLING.set, {**told, **self._sampling})
        super().begin()


class FoundSpan(Span):
    """The open span that qmon itself began: a request, an instrumented call."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self._span = native_current()
        self._cell = CELL.get()
        self._is_begun = self._is_over = True
        self._transaction = self


def begun(span: Span) -> Span:
    """Start the clock of a span."""
    span.begin()
    return span


def known(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what only Sentry's own workings need."""
    names = ("op", "name", "description", "status", "origin", "source", "parent_sampled")
    return {name: kwargs[name] for name in names if name in kwargs}
