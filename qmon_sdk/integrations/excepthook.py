"""`sys.excepthook`: what ends the program is an error, and its session has crashed."""

from __future__ import annotations

import sys
from os import getpid

from qmon_sdk.anatomy import fields_of
from qmon_sdk.captures import LEFT
from qmon_sdk.client import current, guarded
from qmon_sdk.context import SCOPE
from qmon_sdk.sessions import OpenSession, end_session

from ._unhandled import is_trouble, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._watch import Watch

PROCESS = "process"
"""The mode of the session that a process is by itself, told only when it crashes."""

FLUSH_S = 0.01
"""Seconds for what is buffered: after the hook the interpreter may wait for threads for ever."""


class ExcepthookIntegration:
    """Keeps what nobody caught, and calls the hook that was there before."""

    def install(self, watch: Watch) -> None:
        """Stand before `sys.excepthook`."""
        process = _Process(current().now())
        watch.wrap(sys, "excepthook", process.watched)
        watch.undo_by(process.leave)


class _Process:
    """This process, which may crash once."""

    def __init__(self, started: int) -> None:
        self._is_watched = True
        self._begin(started)

    def leave(self) -> None:
        """Say nothing any more: somebody else's hook may go on calling ours."""
        self._is_watched = False

    def _begin(self, started: int) -> None:
        self._pid = getpid()
        self._session: OpenSession | None = OpenSession(PROCESS, None, started=started)

    def watched(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        def excepthook(kind: Any, error: Any, trace: Any, /) -> Any:
            try:
                self._ends_by(error)
            finally:
                hook(kind, error, trace)

        return excepthook

    @guarded
    def _ends_by(self, error: Any) -> None:
        client = current()
        if not client.recording or not self._is_watched or not is_trouble(error):
            return
        if hasattr(sys, "ps1"):  # somebody is typing, and will go on
            tell(error, {})
            return
        self._open_session(error)
        tell(error, {}, level="fatal")
        while SCOPE.get().session is not None:
            end_session()
        if recorder := client.recorder:
            recorder.flush(FLUSH_S)

    def _open_session(self, error: BaseException) -> None:
        """Let the process itself be what has crashed, unless a session of the program's has."""
        scope = SCOPE.get()
        if scope.session is not None or LEFT in fields_of(error):
            return
        if self._pid != getpid():  # a forked child is a process of its own
            self._begin(current().now())
        opened, self._session = self._session, None
        if opened is not None:
            SCOPE.set(scope.replace(session=opened, session_id=opened.session_id))
