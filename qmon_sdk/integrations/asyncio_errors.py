"""asyncio: what reaches a loop's exception handler is an error, whosoever's handler that is."""

from __future__ import annotations

from ._unhandled import is_trouble, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._watch import Watch

MESSAGE, TASK, COROUTINE = "asyncio.message", "asyncio.task.name", "asyncio.coroutine.name"


class AsyncioErrorsIntegration:
    """Watches all loops, made before or after: of asyncio, and of uvloop once it is imported."""

    def install(self, watch: Watch) -> None:
        """Stand where every loop is told of an error, before it asks the application's handler."""
        from asyncio import BaseEventLoop

        watch.before(BaseEventLoop, "call_exception_handler", _observe)
        watch.when_imported("uvloop", _watch_uvloop)


def _watch_uvloop(watch: Watch) -> None:
    from uvloop import Loop

    watch.before(Loop, "call_exception_handler", _observe)


def _observe(_: Any, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if error is None or not is_trouble(error):
        return
    task = context.get("task") or context.get("future")
    attributes = {MESSAGE: context.get("message"), TASK: _said(task, "get_name")}
    attributes[COROUTINE] = getattr(_said(task, "get_coro"), "__qualname__", None)
    # As the task saw the world: in its trace, for its user.
    in_context = _said(task, "get_context")
    if in_context is None:
        tell(error, attributes)
        return
    try:
        in_context.run(tell, error, attributes)
    except RuntimeError:  # it is entered already: we are inside of the task
        tell(error, attributes)


def _said(task: Any, question: str) -> Any:
    answer = getattr(task, question, None)
    return answer() if answer is not None else None
