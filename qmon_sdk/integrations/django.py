"""Django: requests are named by their route, and errors count although Django answers them."""

from __future__ import annotations

import sys
from functools import lru_cache
from types import MethodType

from qmon_sdk.client import current, guarded
from qmon_sdk.middleware import wsgi
from qmon_sdk.middleware.asgi import serving
from qmon_sdk.middleware.exchange import KEY

from . import _django_parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qmon_sdk.middleware.exchange import Exchange

    from ._watch import Watch


class DjangoIntegration:
    """Watches Django under WSGI and under ASGI.

    `middleware`, `templates` and `signals` make spans of their own for each of these inside of a
    request: much is told, and each of them costs what a span costs.
    """

    def __init__(
        self, *, middleware: bool = False, templates: bool = False, signals: bool = False
    ) -> None:
        self._middleware = middleware
        self._templates = templates
        self._signals = signals

    def install(self, watch: Watch) -> None:
        """Wait for the handlers: they are imported long after Django, and often not at all."""
        watch.when_imported("django.core.handlers.base", _watch_answers)
        watch.when_imported("django.core.handlers.wsgi", _watch_wsgi)
        watch.when_imported("django.core.handlers.asgi", _watch_asgi)
        if self._middleware:
            watch.when_imported("django.utils.deprecation", _django_parts.watch_middleware)
        if self._templates:
            watch.when_imported("django.template.base", _django_parts.watch_templates)
        if self._signals:
            watch.when_imported("django.dispatch.dispatcher", _django_parts.watch_signals)


def _watch_answers(watch: Watch) -> None:
    from django.core.handlers.base import BaseHandler
    from django.core.signals import got_request_exception

    watch.after(BaseHandler, "resolve_request", _take)
    watch.before(BaseHandler, "process_exception_by_middleware", _note)
    got_request_exception.connect(_fail, weak=False)
    watch.undo_by(lambda: got_request_exception.disconnect(_fail))


def _watch_wsgi(watch: Watch) -> None:
    from django.core.handlers.wsgi import WSGIHandler

    watch.wrap(WSGIHandler, "__call__", _watched_wsgi)


def _watch_asgi(watch: Watch) -> None:
    from django.core.handlers.asgi import ASGIHandler

    watch.wrap(ASGIHandler, "__call__", serving)


def _watched_wsgi(call: Callable[..., Any]) -> Callable[..., Any]:
    def __call__(self: Any, environ: dict[str, Any], start_response: Any) -> Any:  # noqa: N807
        return wsgi.serve(MethodType(call, self), environ, start_response)

    return __call__


def _take(match: Any, _: Any, request: Any) -> None:
    exchange = _exchange(request)
    if exchange is not None:
        exchange.route = template_of(match.route)
        exchange.view = match.func
        if current().settings.send_default_pii:
            exchange.identify = lambda: _user_of(request)


def _user_of(request: Any) -> str:
    """Say who is signed in, if somebody has asked already: asking may cost a query."""
    user = getattr(request, "_cached_user", None) or getattr(request, "_acached_user", None)
    return str(user.pk) if user is not None and user.is_authenticated else ""


@lru_cache(maxsize=4096)
def template_of(route: str) -> str:
    """Make a path of a route, which has no first slash and may be a regular expression."""
    import re

    named = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", r"<\1>", route)
    return "/" + named.replace("^", "").replace("\\Z", "").replace("$", "").lstrip("/")


def _note(_: Any, exception: Exception, request: Any) -> None:
    """A middleware may answer the error: what it answers decides."""
    exchange = _exchange(request)
    if exchange is not None:
        exchange.note(exception)


@guarded
def _fail(request: Any = None, **_: Any) -> None:
    """Nobody handled the error, which Django is handling now."""
    exchange, error = _exchange(request), sys.exc_info()[1]
    if exchange is not None and error is not None:
        exchange.fail(error)


def _exchange(request: Any) -> Exchange | None:
    """Find the exchange under either kind of request; test clients have none."""
    place = getattr(request, "environ", None) or getattr(request, "scope", None) or {}
    return place.get(KEY)
