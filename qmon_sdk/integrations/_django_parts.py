"""Parts of Django that are worth a span to those who look for what is slow inside of a request."""

from __future__ import annotations

from qmon_sdk.middleware.semantics import function_name
from qmon_sdk.spans import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._watch import Watch


def watch_middleware(watch: Watch) -> None:
    """Stand around every middleware that is a class of Django's kind, which nearly all are."""
    from django.utils.deprecation import MiddlewareMixin

    watch.wrap(MiddlewareMixin, "__call__", _middleware)
    watch.wrap(MiddlewareMixin, "__acall__", _middleware_async)


def watch_templates(watch: Watch) -> None:
    """Stand around the rendering of whole templates."""
    from django.template.base import Template

    watch.wrap(Template, "render", _template)


def watch_signals(watch: Watch) -> None:
    """Stand around the sending of signals that somebody receives."""
    from django.dispatch.dispatcher import Signal

    for name in ("send", "send_robust"):
        watch.wrap(Signal, name, _signal)


def _middleware(call: Callable[..., Any]) -> Callable[..., Any]:
    def __call__(self: Any, request: Any) -> Any:  # noqa: N807
        if getattr(self, "async_mode", False):  # the coroutine function below is what it calls
            return call(self, request)
        name, about = _about("code.function.name", function_name(self))
        with span(f"middleware {name}", **about):
            return call(self, request)

    return __call__


def _middleware_async(call: Callable[..., Any]) -> Callable[..., Any]:
    async def __acall__(self: Any, request: Any) -> Any:  # noqa: N807
        name, about = _about("code.function.name", function_name(self))
        with span(f"middleware {name}", **about):
            return await call(self, request)

    return __acall__


def _template(render: Callable[..., Any]) -> Callable[..., Any]:
    def render_(self: Any, context: Any) -> Any:
        name, about = _about("django.template", str(self.name or "(inline)"))
        with span(f"template {name}", **about):
            return render(self, context)

    return render_


def _signal(send: Callable[..., Any]) -> Callable[..., Any]:
    def send_(self: Any, sender: Any, **named: Any) -> Any:
        if not self.receivers:
            return send(self, sender, **named)
        kind = sender if isinstance(sender, type) else type(sender)
        _, about = _about("django.signal.sender", kind.__qualname__)
        with span("signal", **about):
            return send(self, sender, **named)

    return send_


def _about(key: str, name: str) -> tuple[str, dict[str, Any]]:
    return name, {key: name}
