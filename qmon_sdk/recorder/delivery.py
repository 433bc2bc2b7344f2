"""What is on its way: kept until the agent says that it is on disk, within a budget of bytes.

Connected, a message goes out at once and is kept until it is acknowledged. Not connected, it goes
to the spool, which the next agent reads. Over budget, the oldest goes to the spool, and only if the
spool is full too is it dropped, and counted. Nothing here waits.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections import deque
from itertools import count

from qmon_sdk.protocol.frames import pack_length

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qmon_sdk.protocol.frames import Ledger
    from qmon_sdk.stats import Books
    from qmon_sdk.transports import Transport
    from qmon_sdk.transports.spool import Spool

    from .ring import Ring

# How long a lock is waited for that nobody holds for long, unless this is a signal's handler and
# the holder is the very thread that it interrupts.
_PATIENCE_S = 0.01
_ANY_AMOUNT = 1 << 62  # until the agent says how much it has room for
_NOTHING: tuple[bytes, dict[str, int]] = (b"", {})
RESENT_AT_ONCE = 256
"""Messages resent in one poll, so that a poll stays short after a long absence."""


class Delivery:
    """Messages between `deliver`, which any thread may call, and their acknowledgement."""

    def __init__(
        self, connect: Callable[[bytes], tuple[Transport, Spool]], *, books: Books, budget: int
    ) -> None:
        self._connect = connect
        self._books = books
        self._budget = budget
        self._begun = False
        self._ring: Ring | None = None
        self._transport: Transport
        self._spool: Spool
        self._start()

    def begin(self, process: bytes) -> None:
        """Speak for a process from now on; what is held belongs to the one it was forked from."""
        if self._begun:
            self._transport.close()
            self._spool.close()
        self._start()
        self._transport, self._spool = self._connect(process)
        self._begun = True

    def keep_in(self, ring: Ring) -> None:
        """Keep a copy of what is held in this process's ring from now on.

        Frames may have left before there was one: what is read out of it later must not be given
        their numbers, by which the agent would take it for known.
        """
        self._ring = ring
        if self._has_numbered:
            ring.go_on_after(next(self._sequences))
            for sequence, (message, counts) in list(self._held.items()):
                ring.hold(sequence, message, counts)

    def tell(self, ledger: Ledger, *, unsent: dict[str, int]) -> None:
        """Note the books in the ring; what is `unsent` is counted when it is delivered."""
        if self._ring is not None:
            self._ring.tell(ledger, unsent=unsent)

    def _start(self) -> None:
        self._held: dict[int, tuple[bytes, dict[str, int]]] = {}
        self._ring = None
        self._unsent: deque[int] = deque()
        self._sequences = count(1)
        self._has_numbered = False
        self._spooling = allocate_lock()
        self._spool_begun = False
        self._connected = False
        self._credit = _ANY_AMOUNT
        self._under_way = 0
        self.bytes = 0

    @property
    def connected(self) -> bool:
        """Whether the last poll found an agent."""
        return self._connected

    @property
    def trouble(self) -> str:
        """What keeps the way to the agent closed, in words; empty while nothing does."""
        return self._transport.trouble if self._begun else ""

    @property
    def is_stuck(self) -> bool:
        """Whether the transport has stopped taking messages."""
        return bool(self._unsent)

    @property
    def pending(self) -> int:
        """Messages that are neither acknowledged nor spooled."""
        return len(self._held)

    def next_sequence(self) -> int:
        """Number a frame; safe from any thread."""
        self._has_numbered = True
        return next(self._sequences)

    def deliver(
        self, sequence: int, frame: bytes, counts: dict[str, int], *, logged: int = 0
    ) -> None:
        """Send a frame or keep it for later; `counts` says how many of each kind it carries.

        `logged` is the place in the ring's notes before which it makes them unnecessary.
        """
        message = pack_length(frame)
        self._held[sequence] = (message, counts)
        ring = self._ring
        if ring is not None:
            ring.hold(sequence, message, counts, logged=logged)
        self.bytes += len(message)
        if self._unsent or not self._send(sequence, message):
            self._unsent.append(sequence)
            if not self._connected:
                self._to_spool(sequence)
        if self.bytes > self._budget:
            self._relieve()

    def poll(self) -> None:
        """Take acknowledgements, and send again what has to be; from one thread at a time."""
        news = self._transport.poll()
        if news.acknowledged:
            self._settle(news.acknowledged)
        for sequence, reason in news.rejected:
            self._drop(sequence, reason)
        if news.credit is not None:
            self._credit = news.credit
        if news.reconnected:
            self._credit, self._under_way = _ANY_AMOUNT, 0
            self._finish_spool()
            waiting = set(self._unsent)
            self._unsent.extendleft(
                sequence for sequence in sorted(self._held, reverse=True) if sequence not in waiting
            )
        self._connected = news.connected
        self._weigh()
        if self._connected:
            self._send_again()
            if self._spool_begun and not self._unsent:
                self._finish_spool()
        else:
            self._spool_held()

    def wait(self, seconds: float) -> None:
        """Wait until a poll may have news, and no longer than that."""
        self._transport.wait(seconds)

    def close(self) -> None:
        """Leave what is not acknowledged in the spool, and let the transport go."""
        self.spool_rest()
        self._connected = False
        self._transport.close()

    def spool_rest(self) -> None:
        """Leave what is not acknowledged in the spool: the agent knows what it gets twice."""
        if self._spooling.acquire(timeout=_PATIENCE_S):
            try:
                for sequence in sorted(self._held):
                    self._write_down(sequence)
                self._end_spool_file()
            finally:
                self._spooling.release()
        self._unsent.clear()

    def _send_again(self) -> None:
        sent = 0
        while self._unsent and sent < RESENT_AT_ONCE:
            held = self._held.get(self._unsent[0])
            if held is not None:
                if not self._send(self._unsent[0], held[0]):
                    return
                sent += 1
            self._unsent.popleft()

    def _send(self, sequence: int, message: bytes) -> bool:
        """Hand a message over if the agent has room for it, or has nothing of ours to answer."""
        if self._under_way and self._under_way + len(message) > self._credit:
            return False
        if self._transport.send(message):
            self._under_way += len(message)
            return True
        return self._fits_no_way(sequence)

    def _weigh(self) -> None:
        """Add up what is held, and what of it is under way; threads that deliver only add."""
        self.bytes = sum([len(message) for message, _ in list(self._held.values())])
        unsent = [self._held.get(sequence, _NOTHING) for sequence in self._unsent.copy()]
        self._under_way = self.bytes - sum([len(message) for message, _ in unsent])

    def _fits_no_way(self, sequence: int) -> bool:
        """Give a message to the spool if it is too large for the transport."""
        message, _ = self._held.get(sequence, _NOTHING)
        if not self._connected or len(message) <= self._transport.largest:
            return False
        return self._to_spool(sequence) and self._finish_spool()

    def _spool_held(self) -> None:
        """Nobody is there to acknowledge: what is held is safer in a file than in memory."""
        for sequence in sorted(self._held):
            if not self._to_spool(sequence):
                return
        while self._unsent and self._unsent[0] not in self._held:
            self._unsent.popleft()

    def _finish_spool(self) -> bool:
        """Close the spool's file, so that the agent takes it, when no thread is writing to it."""
        if not self._spooling.acquire(timeout=_PATIENCE_S):
            return False
        try:
            self._end_spool_file()
        finally:
            self._spooling.release()
        return True

    def _end_spool_file(self) -> None:
        self._spool_begun = False
        self._spool.close()

    def _to_spool(self, sequence: int) -> bool:
        """Write one message to the spool, unless another thread is writing: then at a poll."""
        if not self._spooling.acquire(blocking=False):
            return False
        try:
            return self._write_down(sequence)
        finally:
            self._spooling.release()

    def _write_down(self, sequence: int) -> bool:
        """Move one message from memory to the spool; the lock is held."""
        held = self._held.get(sequence)
        if held is None:
            return True
        if not self._spool.write(held[0]):
            return False
        self._spool_begun = True
        if self._taken(sequence) is not _NOTHING:
            self.bytes -= len(held[0])
            for kind, n in held[1].items():
                self._books.spooled(kind, n)
        return True

    def _relieve(self) -> None:
        """Make room by the oldest, in the spool if it can be, else by dropping.

        What another thread is about already needs no second one.
        """
        if not self._spooling.acquire(blocking=False):
            return
        try:
            for sequence in list(self._held):
                if self.bytes <= self._budget:
                    return
                if not self._write_down(sequence):
                    self._drop(sequence, "queue_overflow")
        finally:
            self._spooling.release()

    def _settle(self, sequences: tuple[int, ...]) -> None:
        sums: dict[str, int] = {}
        for sequence in sequences:
            for kind, n in self._taken(sequence)[1].items():
                sums[kind] = sums.get(kind, 0) + n
        for kind, n in sums.items():
            self._books.acknowledged(kind, n)

    def _taken(self, sequence: int) -> tuple[bytes, dict[str, int]]:
        """Hold a message no longer."""
        if self._ring is not None:
            self._ring.held.release(sequence)
        return self._held.pop(sequence, _NOTHING)

    def _drop(self, sequence: int, reason: str) -> None:
        message, counts = self._taken(sequence)
        self.bytes -= len(message)
        for kind, n in counts.items():
            self._books.dropped(kind, reason, n)
