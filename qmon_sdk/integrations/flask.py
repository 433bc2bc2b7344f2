"""Flask: requests are named by their URL rule, and errors count although Flask answers them."""

from __future__ import annotations

from types import MethodType

from qmon_sdk.middleware.exchange import KEY, Options
from qmon_sdk.middleware.wsgi import serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qmon_sdk.middleware.exchange import Exchange

    from ._watch import Watch


class FlaskIntegration:
    """Watches every Flask application of the process."""

    def install(self, watch: Watch) -> None:
        """Stand around applications and at the two places where Flask handles errors."""
        from flask import Flask

        watch.wrap(Flask, "__call__", _watched)
        watch.before(Flask, "handle_user_exception", _note)
        watch.before(Flask, "handle_exception", _fail)


def _watched(call: Callable[..., Any]) -> Callable[..., Any]:
    def __call__(self: Any, environ: dict[str, Any], start_response: Any) -> Any:  # noqa: N807
        exchange = environ.get(KEY)
        if exchange is None:
            return serve(MethodType(call, self), environ, start_response, options=_OPTIONS)
        exchange.asked = exchange.asked or rule_of
        return call(self, environ, start_response)

    return __call__


def rule_of(environ: dict[str, Any]) -> str:
    """Return the rule that the request matched, below where the application is mounted."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return environ.get("SCRIPT_NAME", "") + rule.rule if rule is not None else ""


_OPTIONS = Options(route=rule_of)


def _note(_: Any, *args: Any) -> None:
    """The application may have a handler for the error: what that answers decides."""
    exchange = _exchange()
    if exchange is not None:
        exchange.locate()
        exchange.note(args[-1])  # newer Flasks pass their context first


def _fail(_: Any, *args: Any) -> None:
    """Nobody handled the error: whatever the page for it says."""
    exchange = _exchange()
    if exchange is not None:
        exchange.fail(args[-1])


def _exchange() -> Exchange | None:
    from flask import has_request_context, request

    return request.environ.get(KEY) if has_request_context() else None
