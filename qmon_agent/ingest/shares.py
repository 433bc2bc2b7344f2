"""Memory that all senders share, so that nobody fills it alone."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Sequence

from qmon_agent.ingest.outcome import Peer

# The last quarter is for those who hold no more than a sixty-fourth of the whole.
_RESERVED, _LITTLE = 4, 64
NOBODY = Peer(name="")


class Level(enum.IntEnum):
    """How much room there is."""

    FREE = 0
    CROWDED = 1
    """Only who holds little may come in."""
    FULL = 2


class Shares:
    """Bytes held by each sender; who finds no room can wait for it."""

    def __init__(self, most: int, *, of_one: int) -> None:
        self.most = most
        self.held = 0
        self._of_one = of_one
        self._held_by: dict[str, int] = {}
        self._squeeze = Level.FREE
        self._waiting: dict[str, list[Callable[[], None]]] = {}

    @property
    def level(self) -> Level:
        if self.held >= self.most:
            return Level.FULL
        own = Level.CROWDED if self.held > self.most - self.most // _RESERVED else Level.FREE
        return max(own, self._squeeze)

    @property
    def squeezed(self) -> Level:
        """How much room the process has, whatever is held here."""
        return self._squeeze

    @property
    def is_full(self) -> bool:
        return self.held >= self.most or self._squeeze is Level.FULL

    def is_full_for(self, peer: Peer, size: int = 0) -> bool:
        """Whether this sender has its share already, or would have with so much more."""
        level = self.level
        if level is Level.FULL:
            return True
        held = self._held_by.get(peer.name, 0)
        if level is Level.CROWDED and held + size > self.most // _LITTLE:
            return True
        return held >= self._of_one or held + size > max(self._of_one, self.most)

    def hold(self, size: int, peer: Peer = NOBODY) -> None:
        self.held += size
        self._held_by[peer.name] = self._held_by.get(peer.name, 0) + size

    def release(self, size: int, peer: Peer = NOBODY) -> None:
        before = self.level if self._waiting else Level.FREE
        self.held -= size
        left = self._held_by.pop(peer.name, 0) - size
        if left > 0:
            self._held_by[peer.name] = left
        if not self._waiting or self.is_full:
            return
        self._let_in([*self._waiting] if self.level < before else [peer.name])

    def squeeze(self, level: Level) -> None:
        """The process has so much memory left."""
        self._squeeze = level
        self._let_in([*self._waiting])

    def when_free(self, resume: Callable[[], None], peer: Peer = NOBODY) -> None:
        """Calls back once, when there is room again for this sender."""
        if self.is_full_for(peer):
            self._waiting.setdefault(peer.name, []).append(resume)
        else:
            resume()

    async def room(self, peer: Peer = NOBODY) -> None:
        """Waits until there is room for this sender."""
        free = asyncio.Event()
        self.when_free(free.set, peer)
        await free.wait()

    def _let_in(self, names: Sequence[str]) -> None:
        """Those of them who wait, in the order they came, while there is room for each."""
        for name in names:
            waiting = self._waiting.pop(name, [])
            while waiting and not self.is_full_for(Peer(name=name)):
                waiting.pop(0)()
            if waiting:
                self._waiting[name] = waiting + self._waiting.pop(name, [])
