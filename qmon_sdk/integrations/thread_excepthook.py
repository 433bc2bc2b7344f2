"""`threading.excepthook`: what ends a thread is an error, although the program goes on."""

from __future__ import annotations

from ._unhandled import is_trouble, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._watch import Watch


class ThreadExcepthookIntegration:
    """Keeps what nobody caught in a thread, and calls the hook that was there before."""

    def install(self, watch: Watch) -> None:
        """Stand before the hook: threads look it up when they fail."""
        import threading

        watch.before(threading, "excepthook", _ended)


def _ended(args: Any) -> None:
    error = args.exc_value
    if is_trouble(error):
        name = getattr(args.thread, "name", None)
        tell(error, {"thread.name": name if type(name) is str else None})
