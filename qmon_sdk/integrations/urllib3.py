"""urllib3: a client span for each request that is sent, unless a client above makes it."""

from __future__ import annotations

from qmon_sdk.client import guarded
from qmon_sdk.propagation import TRACEPARENT

from ._calls import PORTS, begin, going_on, watched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._calls import Call, Place
    from ._watch import Watch


class Urllib3Integration:
    """Watches pools and managers of pools."""

    def install(self, watch: Watch) -> None:
        """Stand around what the program calls, and where a request goes out."""
        from urllib3 import HTTPConnectionPool, PoolManager

        watch.wrap(PoolManager, "urlopen", lambda call: watched(call, _opening))
        watch.wrap(HTTPConnectionPool, "urlopen", lambda call: watched(call, _pool_opening))
        watch.wrap(HTTPConnectionPool, "_make_request", _sent)


@guarded
def _opening(_: Any, method: str, url: str, *__: Any, **___: Any) -> Call | None:
    return begin(method, url, inner=True)


@guarded
def _pool_opening(pool: Any, method: str, url: str, *_: Any, **__: Any) -> Call | None:
    return begin(method, (_place(pool), url), inner=True)


def _place(pool: Any) -> Place:
    scheme = pool.scheme or "http"
    return scheme, pool.host.strip("[]"), pool.port or PORTS.get(scheme, 0)


def _sent(send: Callable[..., Any]) -> Callable[..., Any]:
    def _make_request(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = going_on()
        if call is None:
            return send(self, *args, **kwargs)
        _send_along(call, self, args, kwargs)
        try:
            response = send(self, *args, **kwargs)
        except BaseException as error:
            call.fail(error)
            raise
        call.answered(response.status)
        return response

    return _make_request


@guarded
def _send_along(call: Call, pool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:  # noqa: PLR0917 - as they came
    """Note that a request goes out, with headers of its own: those of the program stay its own."""
    _, method, url = args[:3]
    place, target = _place(pool), url
    if "://" in url:  # by way of a proxy
        from ._calls import place_of

        place, target = place_of(url)
    call.sending(method, place, target)
    given = kwargs.get("headers")
    more = call.headers(() if given is None else given)
    if more:
        kwargs["headers"] = _with(given, more)


def _with(given: Any, more: dict[str, str]) -> Any:
    """Add headers to a copy; of urllib3's own kind there may be several of a name."""
    if hasattr(given, "getlist"):
        headers = given.copy()
        headers.update(more)
        return headers
    if any(name.lower() == TRACEPARENT for name in given or ()):  # a plain dict knows one case
        return given
    return {**(given or {}), **more}
