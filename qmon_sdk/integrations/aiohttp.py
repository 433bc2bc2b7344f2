"""aiohttp: what its clients send, and what its servers answer, by the path of the resource."""

from __future__ import annotations

from qmon_sdk.client import failed, guarded

from ._calls import begin, going_on, watched_async

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from ._calls import Call, Place
    from ._watch import Watch


class AiohttpIntegration:
    """Watches the client, and the server as soon as `aiohttp.web` is there."""

    def install(self, watch: Watch) -> None:
        """Stand around the client's requests, and wait for the server."""
        from aiohttp import ClientResponse, ClientSession
        from aiohttp.client_reqrep import ClientRequest

        watch.wrap(ClientSession, "_request", lambda call: watched_async(call, _opening))
        watch.wrap(ClientRequest, "send", _sent)
        watch.wrap(ClientResponse, "start", _started)
        watch.when_imported("aiohttp.web_protocol", _watch_server)


def _watch_server(watch: Watch) -> None:
    from aiohttp.web_protocol import RequestHandler

    from ._aiohttp_server import watched as served

    watch.wrap(RequestHandler, "_handle_request", served)


@guarded
def _opening(session: Any, method: str, url: Any, **_: Any) -> Call | None:
    try:
        place = _place(session._build_url(url))  # noqa: SLF001 - with the session's base
    except Exception:  # noqa: BLE001 - not to be sent: the client is about to say so
        place = ("", "", 0), ""
    return begin(method.upper(), place)


def _place(url: Any) -> tuple[Place, str]:
    return (url.scheme, url.host or "", url.port or 0), url.raw_path_qs


def _sent(send: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def send_(self: Any, *args: Any, **kwargs: Any) -> Any:
        _sending(self)
        return await send(self, *args, **kwargs)

    return send_


@guarded
def _sending(request: Any) -> None:
    """Note that a request goes out; it has headers of its own, whatever the program gave."""
    call = going_on()
    if call is not None and request.method != "CONNECT":  # which is for a proxy
        place, target = _place(request.url)
        call.sending(request.method, place, target)
        request.headers.update(call.headers({name.lower() for name in request.headers}))


def _started(start: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def start_(self: Any, *args: Any, **kwargs: Any) -> Any:
        response = await start(self, *args, **kwargs)
        call = going_on()
        if call is not None:
            try:
                call.answered(self.status)
            except Exception as error:  # noqa: BLE001 - the guard
                failed("aiohttp", error)
        return response

    return start_
