"""httpx: a client span for each request that is sent, by clients of both kinds."""

from __future__ import annotations

from qmon_sdk.client import guarded

from ._calls import PORTS, begin, going_on, watched, watched_async

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from ._calls import Call, Place
    from ._watch import Watch


class HttpxIntegration:
    """Watches every client; the trace goes along below, where the program's request ends."""

    def install(self, watch: Watch) -> None:
        """Stand around `send`, each single sending, and the transports that reach the network."""
        from httpx import AsyncClient, AsyncHTTPTransport, Client, HTTPTransport

        watch.wrap(Client, "send", lambda send: watched(send, _opening))
        watch.wrap(Client, "_send_single_request", _single)
        watch.wrap(HTTPTransport, "handle_request", _along)
        watch.wrap(AsyncClient, "send", lambda send: watched_async(send, _opening))
        watch.wrap(AsyncClient, "_send_single_request", _single_async)
        watch.wrap(AsyncHTTPTransport, "handle_async_request", _along_async)


@guarded
def _opening(_: Any, request: Any, **__: Any) -> Call | None:
    return begin(request.method, _place(request.url))


def _place(url: Any) -> tuple[Place, str]:
    scheme = url.scheme
    return (scheme, url.host, url.port or PORTS.get(scheme, 0)), url.raw_path.decode("ascii")


def _single(send: Callable[..., Any]) -> Callable[..., Any]:
    def _send_single_request(self: Any, request: Any) -> Any:
        call = _sending(request)
        response = send(self, request)
        if call is not None:
            call.answered(response.status_code)
        return response

    return _send_single_request


def _single_async(send: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def _send_single_request(self: Any, request: Any) -> Any:
        call = _sending(request)
        response = await send(self, request)
        if call is not None:
            call.answered(response.status_code)
        return response

    return _send_single_request


@guarded
def _sending(request: Any) -> Call | None:
    call = going_on()
    if call is not None:
        place, target = _place(request.url)
        call.sending(request.method, place, target)
    return call


def _along(handle: Callable[..., Any]) -> Callable[..., Any]:
    def handle_request(self: Any, request: Any) -> Any:
        return handle(self, _told(request) or request)

    return handle_request


def _along_async(handle: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def handle_async_request(self: Any, request: Any) -> Any:
        return await handle(self, _told(request) or request)

    return handle_async_request


@guarded
def _told(request: Any) -> Any:
    """Make a request that differs in its headers only: the program may look at its own again.

    One that the program traces by httpcore's means stays what it is: it is looked at below, too.
    """
    call = None if "trace" in request.extensions else going_on()
    more = call.headers(request.headers) if call is not None else None
    if not more:
        return None
    told = object.__new__(type(request))
    told.__dict__.update(request.__dict__)
    told.headers = request.headers.copy()
    told.headers.update(more)
    return told
