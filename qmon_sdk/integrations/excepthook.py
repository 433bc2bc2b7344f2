"""`sys.excepthook`: what ends the program is an error, and its session has crashed."""

from __future__ import annotations

import sys

from ._process import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._watch import Watch


class ExcepthookIntegration:
    """Keeps what nobody caught, and calls the hook that was there before."""

    def install(self, watch: Watch) -> None:
        """Stand before `sys.excepthook`."""
        process = Process()

        def watched(hook: Callable[..., Any]) -> Callable[..., Any]:
            def excepthook(kind: Any, error: Any, trace: Any, /) -> Any:
                try:
                    process.ends_by(error)
                finally:
                    hook(kind, error, trace)

            return excepthook

        watch.wrap(sys, "excepthook", watched)
        watch.undo_by(process.leave)
