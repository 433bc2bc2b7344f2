"""aiohttp's server: one exchange around a request, until its response is written."""

from __future__ import annotations

from functools import cache

from qmon_sdk.client import current, failed
from qmon_sdk.middleware.exchange import DEFAULTS, KEY, Exchange
from qmon_sdk.middleware.semantics import CLIENT, method_of
from qmon_sdk.propagation import headers_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    Handling = Callable[..., Awaitable[tuple[Any, bool]]]

_PASSED_ON = ("traceparent", "tracestate", "baggage")


def watched(handle: Handling) -> Handling:
    """Wrap what a connection does with a request; its handler shows errors that it answers."""

    async def _handle_request(  # noqa: PLR0917 - aiohttp's
        self: Any, request: Any, start_time: Any, request_handler: Any, **more: Any
    ) -> tuple[Any, bool]:
        exchange = _begin(request)
        if exchange is None:
            return await handle(self, request, start_time, request_handler, **more)
        try:
            noting = _noting(request_handler, exchange)
            answer = await handle(self, request, start_time, noting, **more)
            exchange.responding(answer[0].status)
            return answer
        except BaseException as error:
            exchange.fail(error)
            raise
        finally:
            exchange.end()
            request.pop(_key(), None)

    return _handle_request


def _noting(handler: Callable[..., Any], exchange: Exchange) -> Callable[..., Any]:
    from aiohttp.web_exceptions import HTTPException

    async def request_handler(request: Any) -> Any:
        try:
            return await handler(request)
        except HTTPException as answer:
            exchange.note(answer)  # kept if it is a 5xx
            raise
        except Exception as error:
            exchange.fail(error)
            raise

    return request_handler


def _begin(request: Any) -> AiohttpExchange | None:
    """Open the exchange, unless nobody records."""
    try:
        if not current().recording:
            return None
        exchange = AiohttpExchange(DEFAULTS, request, _nowhere)
        exchange.ask(request)
        carried = [
            (name, value) for name in _PASSED_ON for value in request.headers.getall(name, ())
        ]
        if not exchange.begin(headers_of(carried) if carried else None):
            return None
        request[_key()] = exchange
        return exchange
    except Exception as error:  # noqa: BLE001 - the guard
        failed("aiohttp", error)
        return None


@cache
def _key() -> Any:
    """What the exchange stands under in a request: newer releases want a key of their own kind."""
    from aiohttp import web

    make = getattr(web, "RequestKey", None)
    return KEY if make is None else make(KEY, Exchange)


class AiohttpExchange(Exchange):
    """An exchange whose request tells its route as soon as aiohttp has resolved it."""

    def ask(self, request: Any) -> None:
        """Take the request in."""
        self.asked = canonical
        self.method = method_of(request.method)
        self.path = request.path
        self.scheme = request.scheme
        self.query = request.rel_url.raw_query_string
        if request.remote and current().settings.send_default_pii:
            self.say(CLIENT, request.remote)


def canonical(request: Any) -> str:
    """Return the path of the resource a request was resolved to, with its parameters by name."""
    match = getattr(request, "match_info", None)
    resource = getattr(getattr(match, "route", None), "resource", None)
    if match is not None and resource is not None:
        request[_key()].view = match.handler
    return getattr(resource, "canonical", "") or ""


def _nowhere(*_: Any) -> None:
    """Nothing goes on from here: aiohttp sends the response."""
