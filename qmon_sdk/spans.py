"""Spans by hand: `with span("charge card"):`, and the one that is open just now."""

from __future__ import annotations

from time import perf_counter_ns

from .client import current
from .context import SCOPE
from .either_with import EitherWith
from .recorder.cells import CELL, here, write_row
from .recorder.endings import about, status_after
from .recorder.sites import Site
from .rendering import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, ParamSpec, Self, TypeVar

    from .recorder.cells import Cell

    P = ParamSpec("P")
    R = TypeVar("R")

MOST_SITES = 4096
"""Names that spans made by hand may have before further ones share a name."""

_sites: dict[tuple[str, str], Site] = {}


class OpenSpan(int):
    """The id of an open span that somebody wants to say more about.

    It takes the plain id's place in the cell, and works wherever the id does; so a span that nobody
    asks for costs nothing more than a number.
    """

    attributes: dict[str, Any]
    status: str
    name: str

    def __new__(cls, span: int, attributes: dict[str, Any] | None = None) -> Self:
        """Begin with nothing to say but these."""
        made = super().__new__(cls, span)
        made.attributes = {} if attributes is None else attributes
        made.status = made.name = ""
        return made


class Span:
    """An open span. Every method is safe at any time, also after the end, when it does nothing."""

    __slots__ = ("_open", "_trace")

    def __init__(self, open_span: OpenSpan | None = None, trace: tuple[int, int] = (0, 0)) -> None:
        self._open = open_span
        self._trace = trace  # as numbers: few ask for their digits

    @property
    def trace_id(self) -> str:
        """The trace, in 32 hexadecimal digits; empty when nothing is recorded."""
        high, low = self._trace
        return "" if self._open is None else f"{high:016x}{low:016x}"

    @property
    def span_id(self) -> str:
        """The span, in 16 hexadecimal digits; empty when nothing is recorded."""
        return "" if self._open is None else f"{self._open:016x}"

    def is_recording(self) -> bool:
        """Say whether anything said to this span is kept."""
        return self._open is not None

    def set_attribute(self, key: str, value: object) -> None:
        """Keep one attribute; the last value of a key wins."""
        if self._open is not None:
            self._open.attributes[key] = value

    def set_attributes(self, attributes: Mapping[str, object]) -> None:
        """Keep several attributes."""
        if self._open is not None:
            self._open.attributes.update(attributes)

    def set_status(self, status: str, description: str = "") -> None:
        """Say how it went: `ok` or `error`, with a word on the error."""
        if self._open is not None:
            self._open.status = status if type(status) is str else ""
            if type(description) is not str or description:
                self._open.attributes["otel.status_description"] = description

    def update_name(self, name: str) -> None:
        """Rename it: a route is known only after routing."""
        if self._open is not None:
            self._open.name = name

    def record_exception(self, error: BaseException) -> None:
        """Note an exception on the span; `capture_exception` is for keeping it as an error."""
        if self._open is not None:
            self._open.attributes["exception.type"] = type(error).__qualname__
            self._open.attributes["exception.message"] = _said(error)


SILENT_SPAN = Span()


def _said(error: BaseException) -> str:
    """Write what an exception says, without running its `__str__`."""
    return label(error.args[0]) if error.args else ""


def site_of(name: str, kind: str = "internal") -> Site:
    """Return the site that spans of this name share; past `MOST_SITES`, one for all others."""
    if type(name) is not str:
        name = label(name)
    key = (name, kind)
    site = _sites.get(key)
    if site is None:
        key = (label(name), kind)  # however long somebody made it
        if len(_sites) >= MOST_SITES:
            key = ("(other)", kind)
        client = current()
        shown = client.scrubber.word(key[0]) if client.recording else key[0]
        site = _sites.setdefault(key, Site(shown, kind=kind))
    return site


class span(EitherWith):  # noqa: N801 - used like a function: `with span("name"):`
    """Time a block, as `with`, `async with`, or a decorator.

    `name` is a template of low cardinality; further keywords are attributes, and fill the
    template's braces only where a person reads it. Leaving by an exception marks the span as
    failed, unless that only closes, cancels or ends the work. Never raises, and is a no-op while
    nobody records.
    """

    __slots__ = (
        "_attributes",
        "_inner",
        "_open",
        "_outer",
        "_record_exception",
        "_site",
        "_started",
    )

    def __init__(
        self,
        name: str,
        /,
        *,
        kind: str = "internal",
        record_exception: bool = True,
        **attributes: object,
    ) -> None:
        self._site = site_of(name, kind)
        self._attributes = attributes
        self._record_exception = record_exception
        self._inner: Cell | None = None

    def __enter__(self) -> Span:
        """Begin; the span is this context's current one until it ends."""
        outer = here()
        identity = next(outer.ids, 0) if outer is not None else 0
        if not identity or outer is None:
            return SILENT_SPAN
        self._open = opened = OpenSpan(identity, {**self._attributes})
        inner = outer.child(opened)
        if not outer.span:
            inner.begin_trace(self._site.name)
        self._outer, self._inner = outer, inner
        CELL.set(inner)
        self._started = perf_counter_ns()
        inner.open(self._site, outer.span, self._started)
        return Span(opened, (inner.trace_hi, inner.trace_lo))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        """End, however it went."""
        inner = self._inner
        if inner is None:
            return
        duration = perf_counter_ns() - self._started
        opened, outer = self._open, self._outer
        if error is not None and self._record_exception:
            opened.status = opened.status or status_after(error)
            opened.attributes.update(about(error))
        site = site_of(opened.name, self._site.kind) if opened.name else self._site
        row = (
            site, SCOPE.get(), opened.status or "unset", inner.trace_hi, inner.trace_lo,
            opened, outer.span, self._started, duration, opened.attributes or None,
        )  # fmt: skip
        write_row(inner, row)
        inner.close()
        self._inner = None
        if CELL.get() is inner:  # in another context by now: leave that one alone
            CELL.set(outer)

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        """Time every call of a function: what `instrument` does, under this span's name."""
        from .decorators import instrument

        attributes = {key: str(value) for key, value in self._attributes.items()}
        return instrument(fn, name=self._site.name, kind=self._site.kind, attributes=attributes)


def current_span() -> Span:
    """Return the open span of this context, or one that keeps nothing; never `None`."""
    cell = CELL.get()
    if not cell.span or not cell.lane.allowed:
        return SILENT_SPAN
    if not isinstance(cell.span, OpenSpan):
        cell.span = OpenSpan(cell.span)
    return Span(cell.span, (cell.trace_hi, cell.trace_lo))
