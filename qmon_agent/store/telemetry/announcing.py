"""When the worker is told how far the journal may be read: soon under load, seldom at rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from qmon_agent.journal import Position

NOTICE_S = 0.02
# To store one frame costs as much as to store some: few of them wait so long for others, or for
# somebody who asks.
REST_S = 5.0
# For so long it is not at rest, after somebody has asked or much has come.
PROMPT_S = 1.0
FEW_RECORDS = 16
FEW_BYTES = 256 << 10


class Announcer:
    """Knows what is committed, and what of it has been told. On the loop."""

    def __init__(self, tell: Callable[[Position], None]) -> None:
        self.committed = Position()
        self._tell = tell
        self._told = Position()
        self._told_at = 0.0
        self._notice: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._prompt_until = 0.0
        self._asking = 0

    def move(self, position: Position) -> None:
        """So far now; cheap enough for every group commit."""
        self.committed = position
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._asking or self._is_much():
            self._prompt_until = now + PROMPT_S
        due = self._told_at + (NOTICE_S if now < self._prompt_until else REST_S)
        if now >= due:
            self.announce()
        elif self._notice is None or due < self._due:
            self.stop()
            self._notice, self._due = loop.call_at(due, self.announce), due

    def announce(self) -> None:
        """At once, to a worker that has just begun as well."""
        self.stop()
        self._told, self._told_at = self.committed, asyncio.get_running_loop().time()
        self._tell(self.committed)

    def hurry(self) -> None:
        """Somebody asks: nothing waits any longer."""
        self._prompt_until = asyncio.get_running_loop().time() + PROMPT_S
        if self._told != self.committed:
            self.announce()

    @contextmanager
    def hurrying(self) -> Iterator[None]:
        """As long as this lasts, whatever is committed is told soon."""
        self._asking += 1
        self.hurry()
        try:
            yield
        finally:
            self._asking -= 1

    def stop(self) -> None:
        """Nothing is told later."""
        notice, self._notice = self._notice, None
        if notice is not None:
            notice.cancel()

    def _is_much(self) -> bool:
        """Whether it is more than a few frames that was not told yet."""
        now, told = self.committed, self._told
        return (
            now.segment != told.segment
            or now.record_id - told.record_id > FEW_RECORDS
            or now.offset - told.offset > FEW_BYTES
        )
