"""Who may send how much: decided by size and sender, before a byte is decoded."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from qmon_agent.ingest.outcome import Peer
from qmon_agent.ingest.shares import NOBODY, Level, Shares
from qmon_agent.ingest.workroom import Workroom
from qmon_agent.settings import Admission as Options

# Enough for every process of a large host; beyond it the peer longest silent is forgotten.
_PEERS = 4_096
# Of the memory there is beside what the agent needs at rest, this part is for bodies.
_OF_BODIES = 4
_AT_REST_BYTES = 96 << 20


def room_of(options: Options) -> int:
    """Of the memory the process may have, what is left for work; half of very little."""
    most = options.process_memory_bytes
    return max(most // 2, most - _AT_REST_BYTES)


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
    """Budgets per peer in frames and bytes, and of memory for all peers together."""

    def __init__(self, options: Options, *, now: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._now = now
        self._peers: OrderedDict[str, tuple[Allowance, Allowance]] = OrderedDict()
        self.frames = Shares(options.memory_bytes, of_one=options.peer_credit_bytes)
        """Taken, and not yet on disk."""
        room = room_of(options)
        self.bodies = Shares(room // _OF_BODIES, of_one=room * 3 // 4 // _OF_BODIES)
        """Of requests, from the first byte until the answer; of frames, until they are whole."""
        self.workroom = Workroom(room - room // _OF_BODIES)

    @property
    def held(self) -> int:
        """Bytes taken and not yet on disk."""
        return self.frames.held

    @property
    def is_full(self) -> bool:
        return self.frames.is_full

    @property
    def is_squeezed(self) -> bool:
        """Whether the process has no memory left for anything that can be dropped."""
        return self.frames.squeezed is Level.FULL

    @property
    def credit(self) -> int:
        """Bytes a peer may have under way, as told to it with every acknowledgement."""
        if self.frames.squeezed is not Level.FREE:
            return 0
        room = max(0, self._options.memory_bytes - self.frames.held)
        return min(self._options.peer_credit_bytes, room)

    def squeeze(self, level: Level) -> None:
        """The process has so much memory left."""
        self.frames.squeeze(level)
        self.bodies.squeeze(level)

    def is_full_for(self, peer: Peer, size: int = 0) -> bool:
        """Whether there is no room for what this peer sends."""
        return self.frames.is_full_for(peer, size)

    def hold(self, size: int, peer: Peer = NOBODY) -> None:
        self.frames.hold(size, peer)

    def release(self, size: int, peer: Peer = NOBODY) -> None:
        self.frames.release(size, peer)

    def when_free(self, resume: Callable[[], None], peer: Peer = NOBODY) -> None:
        """Calls back once, when memory is free again for this peer."""
        self.frames.when_free(resume, peer)

    async def room(self, peer: Peer = NOBODY) -> None:
        """Waits until memory is free for this peer."""
        await self.frames.room(peer)

    def charge(self, peer: Peer, size: int) -> float:
        """Books one message and answers how many seconds to read no more from this peer."""
        now = self._now()
        frames, data = self._allowances(peer.name, now)
        return max(frames.spend(1, now), data.spend(size, now))

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
