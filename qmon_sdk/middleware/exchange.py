"""One request and its response: a server span, a fresh scope, and the error that came of it."""

from __future__ import annotations

from time import perf_counter_ns

from qmon_sdk.client import current, failed, guarded
from qmon_sdk.context import EMPTY, REQUEST, SCOPE, forget_crumbs
from qmon_sdk.protocol.records import Record
from qmon_sdk.recorder.cells import CELL, here, write_row
from qmon_sdk.recorder.sites import Site
from qmon_sdk.spans import OpenSpan
from qmon_sdk.w3c import Parent, format_parent, parse_parent

from . import semantics
from .sites import KNOWN, named, site_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from qmon_sdk.context import Scope
    from qmon_sdk.recorder.cells import Cell
    from qmon_sdk.scrub import Scrubber

    from .sites import Known

KEY = "qmon.exchange"
"""Where the exchange stands in an ASGI scope or a WSGI environ, for integrations to find it."""


class Options(Record):
    """How one application is watched."""

    route: Callable[[Any], str | None] | None = None
    ignore: frozenset[str] = frozenset()
    traceresponse: bool = False


DEFAULTS = Options()
_OPENINGS = {method: Site(method, kind="server") for method in sorted(semantics.METHODS)}
_OPENING = Site("HTTP", kind="server")  # of other methods; until its route is known


class Exchange:
    """What is known of one request while it is answered.

    An integration finds it under `KEY`, tells it the `route` once routing is done (or sets `asked`,
    which is called with the `source`, the scope or environ, when the response starts), its `view`
    and how to `identify` the user, and `note`s an error that the framework is about to turn into a
    response.
    """

    # What is seldom said has its default here: setting a dozen fields for each request adds up.
    prefix = route = query = ""
    status = _parent = crumbs = 0
    failed = False
    extra: dict[str, Any] | None = None
    asked: Callable[[Any], str | None] | None = None
    identify: Callable[[], str] | None = None
    view: Any = None
    scope: Scope = EMPTY
    known: Known | None = None
    _noted: BaseException | None = None
    _cell: Cell | None = None

    method: str
    path: str
    scheme: str
    scrubber: Scrubber

    def __init__(self, options: Options, source: Any, forward: Callable[..., Any]) -> None:
        self.options = options
        self.source = source  # the scope or environ
        self.forward = forward  # where what this exchange listens to goes on
        self.scrubber = current().scrubber
        if options.route is not None:
            self.asked = options.route

    def begin(self, carrier: Mapping[str, str] | None) -> bool:
        """Open the span and a fresh scope; `False` when nobody records."""
        outer = here()
        if outer is None:
            return False
        span = next(outer.ids, 0)
        if not span:
            return False
        before = SCOPE.get()
        self._outer = (outer, before, REQUEST.get())
        # A trace of its own, or the caller's: what this thread did before is never the cause.
        self._cell = cell = outer.child(span)
        if carrier:
            self._continue(cell, carrier)
        if not self._parent:
            cell.begin_trace(self.method)
        self._first_scope = scope = self.scope
        if scope is not before:
            SCOPE.set(scope)
        REQUEST.set(self)
        CELL.set(cell)
        scrubber = self.scrubber
        self.known = known = KNOWN.find((self.method, self.path, self.query), scrubber)
        self._started = perf_counter_ns()
        if known is not None:
            cell.open(known.opening, self._parent, self._started)
        else:
            about = f"{self.method} {scrubber.texts[self.path]}".encode("utf-8", "replace")
            cell.open(_OPENINGS.get(self.method, _OPENING), self._parent, self._started, about)
        return True

    def say(self, key: str, value: object) -> None:
        """Keep one attribute on the span."""
        if self.extra is None:
            self.extra = {}
        self.extra[key] = value

    def _continue(self, cell: Cell, carrier: Mapping[str, str]) -> None:
        """Go on where the caller is, if its headers are right, with what it passes on to all."""
        parent = parse_parent(carrier.get("traceparent", ""))
        tracestate = carrier.get("tracestate", "") if parent is not None else ""
        baggage = carrier.get("baggage", "")
        self.scope = EMPTY.replace(tracestate=tracestate, baggage=baggage)
        if parent is None:
            return
        cell.trace_hi, cell.trace_lo = int(parent.trace_id[:16], 16), int(parent.trace_id[16:], 16)
        cell.keep(parent.sampled)
        self._parent = int(parent.span_id, 16)

    def note(self, error: BaseException) -> None:
        """Remember what a handler of the framework answers: it is kept if the answer is a 5xx."""
        self._noted = error

    def responding(self, status: int) -> None:
        """Take the response's status; a noted error is kept if that makes it a failure of ours."""
        self.status = status
        if self.asked is not None:
            self.locate()
        if self._noted is not None:
            noted, self._noted = self._noted, None
            if status >= semantics.SERVER_ERROR:
                self.capture(noted, handled=True)

    def locate(self) -> None:
        """Find out the route, if nobody has said it yet and somebody can."""
        if self.asked is not None and not self.route:
            self.route = self.asked(self.source) or ""

    @guarded
    def fail(self, error: BaseException) -> None:
        """Keep an error that nobody handled; being cancelled or told to stop is none."""
        if isinstance(error, Exception):
            self.failed, self._noted = True, None
            self.locate()
            self.status = self.status or semantics.SERVER_ERROR
            self.say("error.type", type(error).__qualname__)
            self.capture(error, handled=False)

    def capture(self, error: BaseException, *, handled: bool) -> None:
        """Keep an error together with what was asked for; one error is kept once."""
        from qmon_sdk.capture import capture_exception  # paid when something breaks

        facts = {semantics.METHOD: self.method, semantics.PATH: self.path}
        if self.route:
            facts[semantics.ROUTE] = self.route
        if self.status:
            facts[semantics.STATUS] = semantics.status_text(self.status)
        if self.identify is not None:
            self._meet(self.identify)
        if SCOPE.get() is self._first_scope:  # who it is was said where we cannot see it
            SCOPE.set(self.scope)
        capture_exception(error, handled=handled, attributes=facts)

    def end(self) -> None:
        """Close the span and leave the scope; further calls do nothing."""
        cell, self._cell = self._cell, None
        if cell is None:
            return
        duration = perf_counter_ns() - self._started
        outer, before, request = self._outer
        scope = SCOPE.get()
        is_here = CELL.get() is cell
        # What is known of the user in the end, whichever thread or task has said it.
        is_ours = scope is not self._first_scope and REQUEST.get() is self
        try:
            if self.identify is not None and not is_ours:
                self._meet(self.identify)
            self._record(cell, scope if is_ours else self.scope, duration)
        except Exception as error:  # noqa: BLE001 - the guard, without the cost of one more call
            failed("exchange", error)
        if self.crumbs:
            forget_crumbs(self)
        if is_here:  # else: ended in a foreign context, which is not ours to change
            CELL.set(outer)
            if scope is not before:
                SCOPE.set(before)
            if request is not None:  # else: what is over may stay, and hears of scopes in vain
                REQUEST.set(request)

    def _meet(self, identify: Callable[[], str]) -> None:
        """Say who asks, as the framework knows it, unless the application has said so itself."""
        if not self.scope.user_id:
            user_id = identify()
            if user_id:
                user_id = current().scrubber.person(user_id)
                self.scope = self.scope.replace(user_id=user_id, user={"id": user_id})

    def _record(self, cell: Cell, scope: Scope, duration: int) -> None:
        if self.asked is not None:
            self.locate()
        status = "error" if self.failed or self.status >= semantics.SERVER_ERROR else "unset"
        site, extra = site_of(self)
        span = cell.span
        if type(span) is not int and isinstance(span, OpenSpan):
            site, status, extra = named(span, (site, status, extra))
        row = (
            site, scope, status, cell.trace_hi, cell.trace_lo,
            span, self._parent, self._started, duration, extra,
        )  # fmt: skip
        write_row(cell, row)
        cell.close()

    def trace_header(self) -> str:
        """Say which trace this is, in the form of a `traceparent`."""
        cell = self._cell
        if cell is None:
            return ""
        trace_id = f"{cell.trace_hi:016x}{cell.trace_lo:016x}"
        here = Parent(trace_id=trace_id, span_id=f"{cell.span:016x}", sampled=cell.kept)
        return format_parent(here)
