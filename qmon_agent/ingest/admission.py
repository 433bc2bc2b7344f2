"""Who may send how much: decided by size and sender, before a byte is decoded."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from qmon_agent.ingest.outcome import Peer
from qmon_agent.settings import Admission as Options

# Enough for every process of a large host; beyond it the peer longest silent is forgotten.
_PEERS = 4_096


class Allowance:
    """A bucket that refills; it may go into debt, and tells how long until it is out of it."""

    __slots__ = ("_at", "_full", "_left", "_rate")

    def __init__(self, rate: float, *, burst_s: float, now: float) -> None:
        self._rate = rate
        self._full = rate * burst_s
        self._left = self._full
        self._at = now

    def spend(self, amount: float, now: float) -> float:
        """Takes `amount` in any case; answers the seconds the spender should now wait."""
        self._left = min(self._full, self._left + (now - self._at) * self._rate) - amount
        self._at = now
        return max(0.0, -self._left / self._rate)


class Admission:
    """Budgets per peer in frames and bytes, and one of memory for all peers together."""

    def __init__(self, options: Options, *, now: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._now = now
        self._peers: OrderedDict[str, tuple[Allowance, Allowance]] = OrderedDict()
        self._held = 0
        self._waiting: list[Callable[[], None]] = []

    @property
    def held(self) -> int:
        """Bytes taken and not yet on disk."""
        return self._held

    @property
    def is_full(self) -> bool:
        return self._held >= self._options.memory_bytes

    @property
    def credit(self) -> int:
        """Bytes a peer may have under way, as told to it with every acknowledgement."""
        room = max(0, self._options.memory_bytes - self._held)
        return min(self._options.peer_credit_bytes, room)

    def charge(self, peer: Peer, size: int) -> float:
        """Books one message and answers how many seconds to read no more from this peer."""
        now = self._now()
        frames, data = self._allowances(peer.name, now)
        return max(frames.spend(1, now), data.spend(size, now))

    def hold(self, size: int) -> None:
        self._held += size

    def release(self, size: int) -> None:
        self._held -= size
        if self._waiting and not self.is_full:
            waiting, self._waiting = self._waiting, []
            for resume in waiting:
                resume()

    def when_free(self, resume: Callable[[], None]) -> None:
        """Calls back once, when memory is free again."""
        if self.is_full:
            self._waiting.append(resume)
        else:
            resume()

    async def room(self) -> None:
        """Waits until memory is free."""
        free = asyncio.Event()
        self.when_free(free.set)
        await free.wait()

    def _allowances(self, name: str, now: float) -> tuple[Allowance, Allowance]:
        known = self._peers.get(name)
        if known is None:
            burst = self._options.burst_s
            known = self._peers[name] = (
                Allowance(self._options.frames_per_s, burst_s=burst, now=now),
                Allowance(self._options.bytes_per_s, burst_s=burst, now=now),
            )
            if len(self._peers) > _PEERS:
                self._peers.popitem(last=False)
        self._peers.move_to_end(name)
        return known
