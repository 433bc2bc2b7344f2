"""WSGI: `app = qmon.wsgi(app)` opens a span around every request, until its body is closed."""

from __future__ import annotations

from qmon_sdk.client import current, failed
from qmon_sdk.propagation import headers_of

from .exchange import DEFAULTS, KEY, Exchange, Options
from .semantics import CLIENT, method_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from typing import Any

    Environ = dict[str, Any]
    Headers = list[tuple[str, str]]
    StartResponse = Callable[..., Callable[[bytes], object]]
    App = Callable[[Environ, StartResponse], Iterable[bytes]]

_PASSED_ON = ("HTTP_TRACEPARENT", "HTTP_TRACESTATE", "HTTP_BAGGAGE")


def wsgi(
    app: App,
    *,
    route: Callable[[Environ], str | None] | None = None,
    ignore: Collection[str] = (),
    traceresponse: bool = False,
) -> App:
    """Watch a WSGI application: returns the one to serve. Integrations do it for their frameworks.

    A span is named by method and route. Where there is no integration, `route` may tell a request's
    template from its environ once the response starts; with neither, the method alone is the name,
    since paths hold ids. Requests to the paths in `ignore` are not watched. `traceresponse` tells
    the caller the trace in a response header of that name; it is off because the caller may be
    anybody. Inside an application that is watched already, and before `init`, all passes through.
    """
    options = Options(route=route, ignore=frozenset(ignore), traceresponse=traceresponse)

    def watched(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return serve(app, environ, start_response, options=options)

    return watched


def serve(
    app: App, environ: Environ, start_response: StartResponse, *, options: Options = DEFAULTS
) -> Iterable[bytes]:
    """Answer one request under a span that ends when the server closes the body."""
    exchange = _begin(environ, start_response, options)
    if exchange is None:
        return app(environ, start_response)
    try:
        body = app(environ, exchange.start_response)
    except BaseException as error:
        exchange.fail(error)
        exchange.leave()
        raise
    if _is_finished(body, environ):
        exchange.leave()
        return body
    return Body(body, exchange)


def _begin(environ: Environ, start: StartResponse, options: Options) -> WsgiExchange | None:
    """Open the exchange, unless the request is watched already or to be ignored."""
    try:
        client = current()
        if KEY in environ or not client.recording:
            return None
        exchange = WsgiExchange(options, environ, start)
        exchange.method = method_of(environ["REQUEST_METHOD"])
        exchange.path = _text(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
        exchange.scheme = environ["wsgi.url_scheme"]
        exchange.query = environ.get("QUERY_STRING", "")
        if client.settings.send_default_pii and "REMOTE_ADDR" in environ:
            exchange.say(CLIENT, environ["REMOTE_ADDR"])
        if exchange.path in options.ignore or not exchange.begin(_carrier(environ)):
            return None
        environ[KEY] = exchange
        return exchange
    except Exception as error:  # noqa: BLE001 - the guard, without the cost of one more call
        failed("wsgi", error)
        return None


def _carrier(environ: Environ) -> dict[str, str] | None:
    if "HTTP_TRACEPARENT" not in environ and "HTTP_BAGGAGE" not in environ:
        return None
    return headers_of([(name, environ[name]) for name in _PASSED_ON if name in environ])


def _is_finished(body: Iterable[bytes], environ: Environ) -> bool:
    """Say whether nothing of the application runs any more while the server sends this body.

    A file wrapper must reach the server as it is, or the server cannot let the kernel send it.
    """
    if type(body) is list or type(body) is tuple:
        return True
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


class WsgiExchange(Exchange):
    """An exchange that listens to `start_response`."""

    def start_response(self, status: str, headers: Headers, *error: Any) -> Any:
        """Hear the status, and pass everything on."""
        try:
            self.responding(int(status[:3]))
            if self.options.traceresponse:
                headers = [*headers, ("traceresponse", self.trace_header())]
        except Exception as trouble:  # noqa: BLE001 - the guard
            failed("wsgi", trouble)
        return self.forward(status, headers, *error)

    def leave(self) -> None:
        """End, and let go of the environ, which holds this exchange too."""
        self.end()
        self.source.pop(KEY, None)


def _text(path: str) -> str:
    """Undo what WSGI does to paths: bytes that it shows as Latin-1."""
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")


class Body:
    """A body that may still be in the making: its errors count, and its close is the end."""

    __slots__ = ("_body", "_exchange")

    def __init__(self, body: Iterable[bytes], exchange: WsgiExchange) -> None:
        self._body = body
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except Exception as error:
            self._exchange.fail(error)
            raise

    def close(self) -> None:
        """Close the application's body, as the server must, and end the span whatever that does."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            self._exchange.fail(error)
            raise
        finally:
            self._exchange.leave()

    def __del__(self) -> None:
        """End what a server has let go of unclosed, as werkzeug's does of one who hung up."""
        self._exchange.leave()
