"""Who may send how much: decided by size and sender, before a byte is decoded."""

from __future__ import annotations

import asyncio
import enum
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from qmon_agent.ingest.outcome import Peer
from qmon_agent.settings import Admission as Options

# Enough for every process of a large host; beyond it the peer longest silent is forgotten.
_PEERS = 4_096
# Of the memory, the last quarter is for those who hold no more than a sixty-fourth of it.
_RESERVED, _LITTLE = 4, 64
NOBODY = Peer(name="")


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


class Level(enum.IntEnum):
    """How much room there is, of the bytes that wait for the disk or of the process's memory."""

    FREE = 0
    CROWDED = 1
    """Only who holds little may come in."""
    FULL = 2


class Admission:
    """Budgets per peer in frames and bytes, and one of memory for all peers together."""

    def __init__(self, options: Options, *, now: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._now = now
        self._peers: OrderedDict[str, tuple[Allowance, Allowance]] = OrderedDict()
        self._held = 0
        self._held_by: dict[str, int] = {}
        self._squeeze = Level.FREE
        self._waiting: dict[str, list[Callable[[], None]]] = {}

    @property
    def held(self) -> int:
        """Bytes taken and not yet on disk."""
        return self._held

    @property
    def level(self) -> Level:
        memory = self._options.memory_bytes
        if self._held >= memory:
            return Level.FULL
        own = Level.CROWDED if self._held > memory - memory // _RESERVED else Level.FREE
        return max(own, self._squeeze)

    @property
    def is_full(self) -> bool:
        return self._held >= self._options.memory_bytes or self._squeeze is Level.FULL

    @property
    def credit(self) -> int:
        """Bytes a peer may have under way, as told to it with every acknowledgement."""
        if self._squeeze is not Level.FREE:
            return 0
        room = max(0, self._options.memory_bytes - self._held)
        return min(self._options.peer_credit_bytes, room)

    def is_full_for(self, peer: Peer, size: int = 0) -> bool:
        """Whether it has its share already: nobody fills the memory alone, and the last of it is
        for those who hold little.
        """
        level = self.level
        if level is Level.FULL:
            return True
        held = self._held_by.get(peer.name, 0)
        if level is Level.CROWDED and held + size > self._options.memory_bytes // _LITTLE:
            return True
        return held >= self._options.peer_credit_bytes

    def charge(self, peer: Peer, size: int) -> float:
        """Books one message and answers how many seconds to read no more from this peer."""
        now = self._now()
        frames, data = self._allowances(peer.name, now)
        return max(frames.spend(1, now), data.spend(size, now))

    def hold(self, size: int, peer: Peer = NOBODY) -> None:
        self._held += size
        self._held_by[peer.name] = self._held_by.get(peer.name, 0) + size

    def release(self, size: int, peer: Peer = NOBODY) -> None:
        before = self.level if self._waiting else Level.FREE
        self._held -= size
        left = self._held_by.pop(peer.name, 0) - size
        if left > 0:
            self._held_by[peer.name] = left
        if not self._waiting or self.is_full:
            return
        self._let_in([*self._waiting] if self.level < before else [peer.name])

    def squeeze(self, level: Level) -> None:
        """The process has so much memory left, whatever waits for the disk."""
        self._squeeze = level
        self._let_in([*self._waiting])

    def when_free(self, resume: Callable[[], None], peer: Peer = NOBODY) -> None:
        """Calls back once, when memory is free again for this peer."""
        if self.is_full_for(peer):
            self._waiting.setdefault(peer.name, []).append(resume)
        else:
            resume()

    async def room(self, peer: Peer = NOBODY) -> None:
        """Waits until memory is free for this peer."""
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
