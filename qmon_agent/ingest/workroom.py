"""Where messages are unpacked and translated: so much at once as there is memory for."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from qmon_agent.ingest.outcome import Peer

# What a body takes while it is translated, itself included, in times of its size.
_TIMES = 6
_LARGE = 1 << 20
_SMALL = 16 * 1024  # is done before anybody else has a turn


class Workroom:
    """Lets in by size, and who waits by turns: one of each sender after the other."""

    def __init__(self, most: int) -> None:
        """`most` bytes of memory may be in use at once; what needs more has to be alone."""
        self._most = most
        self._used = 0
        self.before_large: Callable[[], object] = lambda: None
        """Called before anything large: how much memory there is may have changed."""
        self._waiting: OrderedDict[str, deque[tuple[int, asyncio.Future[None]]]] = OrderedDict()

    @property
    def largest(self) -> int:
        """The largest body for which there is memory at all."""
        return self._most // _TIMES

    @asynccontextmanager
    async def work(self, size: int, peer: Peer) -> AsyncIterator[None]:
        """On a body that has, or may be unpacked to, so many bytes."""
        if size < _SMALL:
            yield
            return
        needed = min(size * _TIMES, self._most)
        if size >= _LARGE:
            self.before_large()
        await self._enter(needed, peer)
        try:
            yield
        finally:
            self._used -= needed
            self._call_next()

    async def _enter(self, needed: int, peer: Peer) -> None:
        if not self._waiting and self._used + needed <= self._most:
            self._used += needed
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(peer.name, deque()).append((needed, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._used -= needed
                self._call_next()
            raise

    def _call_next(self) -> None:
        """Whoever is next in the round, and those after it, as far as there is room."""
        while self._waiting:
            name, queue = next(iter(self._waiting.items()))
            while queue and queue[0][1].done():
                queue.popleft()  # it was given up
            if queue:
                needed, turn = queue[0]
                if self._used + needed > self._most:
                    return
                self._used += needed
                turn.set_result(None)
                queue.popleft()
            del self._waiting[name]
            if queue:
                self._waiting[name] = queue  # at the end of the round
