"""What HTTP clients have in common: a span for each sending of a request, and the trace with it.

The outermost client decides: `requests` stands on urllib3, and one request is one span. A redirect,
an answer to a challenge and a retry are sendings of their own, as OpenTelemetry wants them.
"""

from __future__ import annotations

from _thread import get_ident
from contextvars import ContextVar
from time import perf_counter_ns

from qmon_sdk.client import current, failed
from qmon_sdk.context import SCOPE
from qmon_sdk.middleware import semantics
from qmon_sdk.middleware.sites import named
from qmon_sdk.propagation import TRACEPARENT, inject
from qmon_sdk.recorder.cells import CELL, here, write_row
from qmon_sdk.recorder.sites import Site
from qmon_sdk.spans import OpenSpan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container
    from typing import Any

    from qmon_sdk.middleware.sites import Outcome
    from qmon_sdk.recorder.cells import Cell

    Place = tuple[str, str, int]
    Opening = Callable[..., "Call | None"]
    Key = tuple[str, Place, int]

MOST_SITES = 2048
"""Combinations of method, server and status kept; past them, spans lose their server's name."""

PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
NOWHERE = ("", "", 0)
_FAILURE = 400
_MAX_HOST = 255

_sites: dict[Key, Site] = {}


class Call:
    """One request as the program sees it, however often it is sent: each sending is a span."""

    __slots__ = (
        "_before", "_cell", "_error", "_first", "_is_out", "_outer", "_resends", "_started",
        "_thread", "method", "place", "status", "target",
    )  # fmt: skip

    _cell: Cell | None
    _error: BaseException | None
    _first: Cell
    _started: int

    def __init__(self, outer: Cell, method: str, at: tuple[Place, str]) -> None:
        self._outer = outer
        self._before = CALL.get()
        self._thread = get_ident()
        self._resends = 0
        self._cell = None
        self.method = method
        self.place, self.target = at

    @property
    def is_open(self) -> bool:
        """Say whether this is still going on, here: threads and tasks inherit what is over."""
        return self._cell is not None and self._thread == get_ident()

    def begin(self, span: int) -> None:
        """Open the span of the next sending."""
        outer = self._outer
        self._cell = cell = outer.child(span)
        if not outer.span and not self._resends:
            cell.begin_trace(self.method)
        elif not outer.span:
            first = self._first
            cell.trace_hi, cell.trace_lo, cell.slots = first.trace_hi, first.trace_lo, first.slots
        if not self._resends:
            self._first = cell
        self.status, self._error, self._is_out = 0, None, False
        CELL.set(cell)
        self._started = perf_counter_ns()

    def again(self, method: str, place: Place, target: str) -> None:
        """The same call goes on with another sending."""
        self._end()
        self._resends += 1
        self.method, self.place, self.target = semantics.method_of(method), place, target
        self.begin(next(self._outer.ids, 0))

    def sending(self, method: str, place: Place, target: str) -> None:
        """A request goes out: what was announced, or one more."""
        if self._is_out:
            self.again(method, place, target)
        self.method, self.place, self.target = semantics.method_of(method), place, target
        self._is_out = True

    def headers(self, present: Container[str] = ()) -> dict[str, str]:
        """Return what is to be sent along, unless this server shall not see it or it is there."""
        if TRACEPARENT in present or not is_told(self.place[1]):
            return {}
        return dict(inject({}))

    def answered(self, status: int) -> None:
        """Take the status of a response."""
        self.status = status

    def fail(self, error: BaseException) -> None:
        """Take what came instead of a response."""
        self._error = error

    def close(self) -> None:
        """End the last sending, and the call."""
        try:
            self._end()
        except Exception as error:  # noqa: BLE001 - the guard, inside of somebody's call
            failed("http call", error)
        if CALL.get() is self:
            CALL.set(self._before)

    def _end(self) -> None:
        cell, self._cell = self._cell, None
        if cell is None:
            return
        duration = perf_counter_ns() - self._started
        if CELL.get() is cell:
            CELL.set(self._outer)
        if not cell.span:  # there was no permit for it
            return
        outcome: Outcome = _site(self), self._status(), self._facts()
        if isinstance(cell.span, OpenSpan):
            outcome = named(cell.span, outcome)
        site, status, extra = outcome
        row = (
            site, SCOPE.get(), status, cell.trace_hi, cell.trace_lo,
            cell.span, self._outer.span, self._started, duration, extra,
        )  # fmt: skip
        write_row(cell, row)

    def _status(self) -> str:
        is_wrong = isinstance(self._error, Exception) or self.status >= _FAILURE
        return "error" if is_wrong else "unset"

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"url.full": _full(self.place, self.target)}
        if self._resends:
            facts["http.request.resend_count"] = self._resends
        if self._error is not None:
            facts["error.type"] = type(self._error).__qualname__
        return facts


CALL: ContextVar[Call | None] = ContextVar("qmon_http_call", default=None)


def going_on() -> Call | None:
    """Return the call that is going on here, whichever client has begun it."""
    call = CALL.get()
    return call if call is not None and call.is_open else None


def begin(method: str, url: str | tuple[Place, str], *, inner: bool = False) -> Call | None:
    """Open a call; `None` inside of one that waits for its answer, or while nobody records.

    An `inner` client is what others stand on: it is part of their calls until they are over.
    """
    try:
        going = going_on()
        if going is not None and (inner or not going.status):
            return None
        outer = here()
        span = next(outer.ids, 0) if outer is not None else 0
        if not span or outer is None:
            return None
        call = Call(
            outer, semantics.method_of(method), place_of(url) if isinstance(url, str) else url
        )
        call.begin(span)
        CALL.set(call)
        return call
    except Exception as error:  # noqa: BLE001 - the guard, inside of somebody's call
        failed("http call", error)
        return None


def watched(call: Callable[..., Any], opening: Opening) -> Callable[..., Any]:
    """Wrap a client's function: `opening` sees its arguments and begins the call."""

    def watching(*args: Any, **kwargs: Any) -> Any:
        going = opening(*args, **kwargs)
        if going is None:
            return call(*args, **kwargs)
        try:
            response = call(*args, **kwargs)
            going.answered(status_of(response))
            return response
        except BaseException as error:
            going.fail(error)
            raise
        finally:
            going.close()

    return watching


def watched_async(call: Callable[..., Awaitable[Any]], opening: Opening) -> Callable[..., Any]:
    """Wrap a client's coroutine function."""

    async def watching(*args: Any, **kwargs: Any) -> Any:
        going = opening(*args, **kwargs)
        if going is None:
            return await call(*args, **kwargs)
        try:
            response = await call(*args, **kwargs)
            going.answered(status_of(response))
            return response
        except BaseException as error:
            going.fail(error)
            raise
        finally:
            going.close()

    return watching


def status_of(response: Any) -> int:
    """Read the status of any client's response; 0 when it has none."""
    status = getattr(response, "status_code", None) or getattr(response, "status", None)
    return status if isinstance(status, int) else 0


def place_of(url: str) -> tuple[Place, str]:
    """Take a URL apart: its server, and path with query; what cannot be is nowhere."""
    from urllib.parse import urlsplit  # every client has loaded it

    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return NOWHERE, ""
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return (parts.scheme, (parts.hostname or "")[:_MAX_HOST], port), target


def is_told(host: str) -> bool:
    """Say whether a server may know the trace, by the setting `propagate_to`."""
    patterns = current().settings.propagate_to
    if "*" in patterns:
        return True
    name = host.lower()
    return any(
        name == pattern or (pattern[:2] == "*." and name.endswith(pattern[1:]))
        for pattern in patterns
    )


def _full(place: Place, target: str) -> str:
    """Write the URL without its credentials; its secrets go when attributes are scrubbed."""
    scheme, host, port = place
    at = f"[{host}]" if ":" in host else host
    return (
        f"{scheme}://{at}{target}"
        if port == PORTS.get(scheme)
        else f"{scheme}://{at}:{port}{target}"
    )


def _site(call: Call) -> Site:
    key = (call.method, call.place, call.status)
    site = _sites.get(key)
    if site is None:
        if len(_sites) >= MOST_SITES:
            key = (call.method, NOWHERE, call.status)
        site = _sites.setdefault(key, _made(key))
    return site


def _made(key: Key) -> Site:
    method, (scheme, host, port), status = key
    attributes = {semantics.METHOD: method}
    if host:
        attributes |= {"server.address": host, "server.port": str(port), semantics.SCHEME: scheme}
    if status:
        attributes[semantics.STATUS] = semantics.status_text(status)
    if status >= _FAILURE:
        attributes["error.type"] = semantics.status_text(status)
    name = "HTTP" if method == semantics.OTHER_METHOD else method
    return Site(name, kind="client", attributes=attributes)
