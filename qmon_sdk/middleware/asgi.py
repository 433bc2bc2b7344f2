"""ASGI: `app = qmon.asgi(app)` opens a server span around every request and every websocket."""

from __future__ import annotations

from qmon_sdk.client import current, failed, guarded

from .exchange import DEFAULTS, KEY, Exchange, Options
from .semantics import method_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, MutableMapping
    from typing import Any

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

_SWITCHING_PROTOCOLS = 101
_FORBIDDEN = 403
_NORMAL_CLOSURE = 1000
_PASSED_ON = (
    (b"traceparent", "traceparent"),
    (b"tracestate", "tracestate"),
    (b"baggage", "baggage"),
)


def asgi(
    app: App,
    *,
    route: Callable[[Scope], str | None] | None = None,
    ignore: Collection[str] = (),
    traceresponse: bool = False,
) -> App:
    """Watch an ASGI application: returns the one to serve. Integrations do it for their frameworks.

    A span is named by method and route. Without an integration, `route` may tell the template of a
    finished request from its scope; with neither, the method alone is the name, since paths hold ids.
    Requests to the paths in `ignore` are not watched. `traceresponse` tells the caller the trace in a
    response header of that name; it is off because the caller may be anybody. Inside an application
    that is watched already, and before `init`, everything passes through.
    """
    options = Options(route=route, ignore=frozenset(ignore), traceresponse=traceresponse)

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        await serve(app, (scope, receive, send), options)

    return watched


async def serve(app: App, connection: tuple[Scope, Receive, Send], options: Options = DEFAULTS) -> None:
    """Answer one connection, under a span if it is a request or a websocket."""
    scope, receive, send = connection
    exchange = _begin(scope, send, options)
    if exchange is None:
        await app(scope, receive, send)
        return
    try:
        await app(scope, receive, exchange.send)
    except BaseException as error:
        exchange.fail(error)
        raise
    finally:
        exchange.end(scope)
        scope.pop(KEY, None)  # it holds `send`, which holds the scope: not for the collector to find


def _begin(scope: Scope, send: Send, options: Options) -> AsgiExchange | None:
    """Open the exchange, unless this is not a request, is watched already, or is to be ignored."""
    try:
        method = _METHODS.get(scope["type"])
        if method is None or KEY in scope or not current().recording:
            return None
        if scope["path"] in options.ignore:
            return None
        exchange = AsgiExchange(send, options)
        exchange.ask(scope, method or scope["method"])
        if not exchange.begin(_carrier(scope["headers"])):
            return None
        scope[KEY] = exchange
        return exchange
    except Exception as error:
        failed("asgi", error)
        return None


_METHODS = {"http": "", "websocket": "GET"}
"""Kinds of connection → their method, where it goes without saying."""


def _carrier(headers: Any) -> dict[str, str] | None:
    found = dict(headers)
    if b"traceparent" not in found and b"baggage" not in found:
        return None
    return {name: found[key].decode("latin-1") for key, name in _PASSED_ON if key in found}


class AsgiExchange(Exchange):
    """An exchange that listens to what the application sends."""

    __slots__ = ("_forward",)

    def __init__(self, send: Send, options: Options) -> None:
        super().__init__(options)
        self._forward = send

    def ask(self, scope: Scope, method: str) -> None:
        """Take in the question."""
        self.method = method_of(method)
        self.path = scope["path"]
        self.scheme = scope.get("scheme") or "http"
        if scope.get("query_string"):
            self.say_query(scope["query_string"].decode("latin-1"))
        if scope.get("client"):
            self.say_client(scope["client"][0])

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on. Not a coroutine itself: that would cost one more for every chunk."""
        listener = _LISTENERS.get(message["type"])
        if listener is not None:
            message = listener(self, message) or message
        return self._forward(message)

    @guarded
    def _response_start(self, message: Message) -> Message | None:
        self.responding(message["status"])
        if not self.traceresponse:
            return None
        header = (b"traceresponse", self.trace_header().encode())
        return {**message, "headers": [*message.get("headers", ()), header]}

    @guarded
    def _websocket_accept(self, _: Message) -> None:
        self.responding(_SWITCHING_PROTOCOLS)

    @guarded
    def _websocket_close(self, message: Message) -> None:
        if not self.status:
            self.responding(_FORBIDDEN)
        self.say("websocket.close_code", message.get("code", _NORMAL_CLOSURE))


_LISTENERS: dict[str, Callable[[AsgiExchange, Message], Message | None]] = {
    "http.response.start": AsgiExchange._response_start,  # noqa: SLF001 - a table of its methods
    "websocket.http.response.start": AsgiExchange._response_start,  # noqa: SLF001
    "websocket.accept": AsgiExchange._websocket_accept,  # noqa: SLF001
    "websocket.close": AsgiExchange._websocket_close,  # noqa: SLF001
}
