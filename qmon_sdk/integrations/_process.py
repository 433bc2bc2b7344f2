"""How a process ends by an error: it is kept, the session has crashed, and all is handed over."""

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
    from typing import Any

PROCESS = "process"
"""The mode of the session that a process is by itself, told only when it crashes."""

FLUSH_S = 0.01
"""Seconds for what is buffered: after a hook the interpreter may wait for threads for ever."""


class Process:
    """This process, which may crash once; a fork of it is another."""

    def __init__(self) -> None:
        self._is_watched = True
        self._begin(current().now())

    def leave(self) -> None:
        """Say nothing any more: somebody else's hook may go on calling ours."""
        self._is_watched = False

    def _begin(self, started: int) -> None:
        self._pid = getpid()
        self._session: OpenSession | None = OpenSession(PROCESS, None, started=started)

    @guarded
    def ends_by(self, error: Any) -> None:
        """Keep what ends it, unless somebody is typing, and will go on."""
        client = current()
        if not client.recording or not self._is_watched or not is_trouble(error):
            return
        if hasattr(sys, "ps1"):
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
        if self._pid != getpid():
            self._begin(current().now())
            if scope.session is not None:  # it was begun by the parent, who goes on with it
                scope = scope.replace(session=None, session_id="")
        if scope.session is not None or LEFT in fields_of(error):
            return
        opened, self._session = self._session, None
        if opened is not None:
            SCOPE.set(scope.replace(session=opened, session_id=opened.session_id))
