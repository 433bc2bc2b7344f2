"""ASGI: `app = qmon.asgi(app)` opens a server span around every request and every websocket."""

from __future__ import annotations

from qmon_sdk.client import current, failed
from qmon_sdk.propagation import headers_of

from .exchange import DEFAULTS, KEY, Exchange, Options
from .semantics import CLIENT, METHODS, OTHER_METHOD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, MutableMapping
    from typing import Any

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Connection = tuple[Scope, Receive, Send]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

_SWITCHING_PROTOCOLS = 101
_FORBIDDEN = 403
_NORMAL_CLOSURE = 1000
_PASSED_ON = frozenset((b"traceparent", b"tracestate", b"baggage"))


def asgi(
    app: App,
    *,
    route: Callable[[Scope], str | None] | None = None,
    ignore: Collection[str] = (),
    traceresponse: bool = False,
) -> App:
    """Watch an ASGI application: returns the one to serve. Integrations do it for their frameworks.

    A span is named by method and route. Where there is no integration, `route` may tell a request's
    template from its scope once the response starts; with neither, the method alone is the name,
    since paths hold ids. Requests to the paths in `ignore` are not watched. `traceresponse` tells
    the caller the trace in a response header of that name; it is off because the caller may be
    anybody. Inside an application that is watched already, and before `init`, all passes through.
    """
    options = Options(route=route, ignore=frozenset(ignore), traceresponse=traceresponse)

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        exchange = begin(scope, send, options)
        if exchange is None:
            await app(scope, receive, send)
            return
        try:
            await app(scope, receive, exchange.send)
        except BaseException as error:
            exchange.fail(error)
            raise
        finally:
            exchange.end()
            scope.pop(KEY, None)  # a circle, by way of `send`: not for the garbage collector

    return watched


def serving(call: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Watch every application of a class: returns what takes the place of its `__call__`."""

    # Spelled out: servers tell applications from factories by what they can be called with.
    async def __call__(self: Any, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: N807, PLR0917
        exchange = begin(scope, send)
        if exchange is None:
            await call(self, scope, receive, send)
            return
        try:
            await call(self, scope, receive, exchange.send)
        except BaseException as error:
            exchange.fail(error)
            raise
        finally:
            exchange.end()
            scope.pop(KEY, None)

    return __call__


def begin(scope: Scope, send: Send, options: Options = DEFAULTS) -> AsgiExchange | None:
    """Open the exchange, unless this is not a request, is watched already, or is to be ignored."""
    try:
        method = _METHODS.get(scope["type"])
        client = current()
        if method is None or KEY in scope or not client.recording:
            return None
        path = scope["path"]
        if path in options.ignore:
            return None
        exchange = AsgiExchange(options, scope, send)
        method = method or scope["method"]
        exchange.method = method if method in METHODS else OTHER_METHOD
        exchange.path = path
        exchange.scheme = scope.get("scheme") or "http"
        query = scope.get("query_string")
        if query:
            exchange.query = query.decode("latin-1")
        if client.settings.send_default_pii and scope.get("client"):
            exchange.say(CLIENT, scope["client"][0])
        carried = [pair for pair in scope.get("headers", ()) if pair[0] in _PASSED_ON]
        if not exchange.begin(headers_of(carried) if carried else None):
            return None
        scope[KEY] = exchange
        return exchange
    except Exception as error:  # noqa: BLE001 - the guard, without the cost of one more call
        failed("asgi", error)
        return None


_METHODS = {"http": "", "websocket": "GET"}
"""Kinds of connection → their method, where it goes without saying."""


class AsgiExchange(Exchange):
    """An exchange that listens to what the application sends."""

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on. Not a coroutine itself: that would cost one more for every chunk."""
        kind = message["type"]
        listener = None if kind == "http.response.body" else _LISTENERS.get(kind)
        if listener is not None:
            try:
                message = listener(self, message)
            except Exception as error:  # noqa: BLE001 - the guard
                failed("asgi", error)
        sending: Awaitable[None] = self.forward(message)
        return sending


def _response_start(exchange: AsgiExchange, message: Message) -> Message:
    exchange.responding(message["status"])
    if not exchange.options.traceresponse:
        return message
    header = (b"traceresponse", exchange.trace_header().encode())
    return {**message, "headers": [*message.get("headers", ()), header]}


def _websocket_accept(exchange: AsgiExchange, message: Message) -> Message:
    exchange.responding(_SWITCHING_PROTOCOLS)
    return message


def _websocket_close(exchange: AsgiExchange, message: Message) -> Message:
    if not exchange.status:
        exchange.responding(_FORBIDDEN)
    exchange.say("websocket.close_code", message.get("code", _NORMAL_CLOSURE))
    return message


_LISTENERS: dict[str, Callable[[AsgiExchange, Message], Message]] = {
    "http.response.start": _response_start,
    "websocket.http.response.start": _response_start,
    "websocket.accept": _websocket_accept,
    "websocket.close": _websocket_close,
}
