"""Starlette: requests are named by the path of their route, with the mounts that led to it."""

from __future__ import annotations

from inspect import iscoroutinefunction

from qmon_sdk.middleware.asgi import serving
from qmon_sdk.middleware.exchange import KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._watch import Watch

    Scope = dict[str, Any]


class StarletteIntegration:
    """Watches every Starlette application of the process."""

    def install(self, watch: Watch) -> None:
        """Stand around applications, where routes are taken, and before what handles errors."""
        from starlette.applications import Starlette
        from starlette.middleware.exceptions import ExceptionMiddleware
        from starlette.routing import Mount, Route, WebSocketRoute

        watch.wrap(Starlette, "__call__", serving)
        watch.before(Mount, "handle", _enter)
        watch.before(Route, "handle", _take)
        watch.before(WebSocketRoute, "handle", _take)
        watch.after(ExceptionMiddleware, "__init__", _note_handled)


def _enter(mount: Any, scope: Scope, *_: Any) -> None:
    exchange = scope.get(KEY)
    if exchange is not None:
        exchange.prefix += mount.path
        exchange.route = exchange.prefix  # all there is to say if what is mounted has no routes


def _take(route: Any, scope: Scope, *_: Any) -> None:
    take(scope, route.path, route.endpoint)


def take(scope: Scope, path: str, view: Any) -> None:
    """Name the request by a route's path, below the mounts that led to it."""
    exchange = scope.get(KEY)
    if exchange is not None:
        exchange.route = exchange.prefix + path
        exchange.view = view


def _note_handled(_: None, middleware: Any, *__: Any, **___: Any) -> None:
    """Keep errors that the application's own handlers answer with a 5xx."""
    for handlers in (middleware._exception_handlers, middleware._status_handlers):  # noqa: SLF001
        for key, handler in handlers.items():
            handlers[key] = _noting(handler)


def _noting(handler: Callable[..., Any]) -> Callable[..., Any]:
    # Starlette runs what is no coroutine function in a thread: be of the same sort.
    if iscoroutinefunction(handler) or iscoroutinefunction(type(handler).__call__):

        async def handle_async(connection: Any, error: Exception) -> Any:
            _note(connection.scope, error)
            return await handler(connection, error)

        return handle_async

    def handle(connection: Any, error: Exception) -> Any:
        _note(connection.scope, error)
        return handler(connection, error)

    return handle


def _note(scope: Scope, error: Exception) -> None:
    exchange = scope.get(KEY)
    if exchange is not None:
        exchange.note(error)
