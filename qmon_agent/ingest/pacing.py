"""When a connection is read, and when it has to wait: admission as back-pressure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from qmon_agent.ingest.admission import Admission
from qmon_agent.ingest.outcome import Peer

# A connection that does not read its answers is read no further beyond this many open questions.
_AWAITED = 10_000
_PAUSE_S = 0.05
# After "not now" (disk full): long enough that a whole host trying again costs nothing.
REFUSAL_PAUSE_S = 1.0


class Pace:
    """Pauses and resumes one connection; the kernel's buffer, filling up, tells the sender."""

    def __init__(
        self,
        peer: Peer,
        *,
        admission: Admission,
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self._peer = peer
        self._admission = admission
        self._pause = pause
        self._resume = resume
        self._holds = 0

    @property
    def is_paused(self) -> bool:
        return self._holds > 0

    def charge(self, size: int, *, awaited: int) -> None:
        """Books a message, and pauses the connection when its sender should wait."""
        delay = self._admission.charge(self._peer, size)
        if awaited > _AWAITED:
            delay = max(delay, _PAUSE_S)
        if delay > 0:
            self.wait(delay)
        self.may_read()

    def may_read(self) -> bool:
        """Whether there is room for what this peer sends; if not, it waits until there is."""
        if not self._admission.is_full_for(self._peer):
            return True
        self._hold()
        self._admission.when_free(self._release, self._peer)
        return False

    def wait(self, seconds: float) -> None:
        self._hold()
        asyncio.get_running_loop().call_later(seconds, self._release)

    def _hold(self) -> None:
        self._holds += 1
        if self._holds == 1:
            self._pause()

    def _release(self) -> None:
        self._holds -= 1
        if self._holds == 0:
            self._resume()
