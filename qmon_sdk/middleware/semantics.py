"""The words of a request: attributes, names and statuses, after OpenTelemetry's conventions."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

METHOD = "http.request.method"
ROUTE = "http.route"
STATUS = "http.response.status_code"
PATH = "url.path"
QUERY = "url.query"
SCHEME = "url.scheme"
CLIENT = "client.address"
FUNCTION = "code.function.name"

# Anybody can send any method: only these may become part of a name.
METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY")
)
OTHER_METHOD = "_OTHER"
SERVER_ERROR = 500

_VERBS = {"ws": "WEBSOCKET", "wss": "WEBSOCKET"}

_STATUS_TEXTS = {status: str(status) for status in range(100, 600)}


def method_of(text: str) -> str:
    """Return a method we know, or the one word that stands for all others."""
    return text if text in METHODS else OTHER_METHOD


def name_of(method: str, route: str, scheme: str) -> str:
    """Return the span's name: with the route's template, never with the path as it was sent."""
    verb = _VERBS.get(scheme) or ("HTTP" if method == OTHER_METHOD else method)
    return f"{verb} {route}" if route else verb


def status_text(status: int) -> str:
    """Return the status as text without making a new one each time."""
    return _STATUS_TEXTS.get(status) or str(status)


def function_name(view: Any) -> str:
    """Name a view by its module and its name; one that is an object, by its class."""
    while hasattr(view, "func"):  # a partial
        view = view.func
    view = getattr(view, "view_class", view)  # Django's, behind `as_view`
    name = getattr(view, "__qualname__", None)
    if not isinstance(name, str):
        view = type(view)
        name = view.__qualname__
    return f"{getattr(view, '__module__', '')}.{name}".lstrip(".")
