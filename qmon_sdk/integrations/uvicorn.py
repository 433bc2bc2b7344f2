"""uvicorn: a server that was told to stop ends by that signal, past every exit function."""

from __future__ import annotations

from time import monotonic

from qmon_sdk.client import current, guarded
from qmon_sdk.recorder.lifecycle import EXIT_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._watch import Watch


class UvicornIntegration:
    """Hands over what was recorded when a server has answered its last request.

    It raises the signal that stopped it once more then, and that kills the process.
    """

    def install(self, watch: Watch) -> None:
        """Wait for the server: reloaders and supervisors have none."""
        watch.when_imported("uvicorn.server", _watch_server)


def _watch_server(watch: Watch) -> None:
    from uvicorn.server import Server

    watch.wrap(Server, "_serve", _served)


def _served(serve: Callable[..., Any]) -> Callable[..., Any]:
    async def _serve(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await serve(self, *args, **kwargs)
        finally:
            _last_words()

    return _serve


@guarded
def _last_words() -> None:
    client = current()
    if client.recording:
        client.at_exit(monotonic() + EXIT_S)  # type: ignore[union-attr]
