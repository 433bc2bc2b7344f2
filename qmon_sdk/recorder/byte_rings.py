"""The two byte rings of a flight ring: notes, whose oldest go, and frames, which are given back."""

from __future__ import annotations

from collections import deque

from qmon_sdk.accelerator import speedups
from qmon_sdk.protocol import flight
from qmon_sdk.protocol.flight import HELD, NOTE, WORD
from qmon_sdk.transports.originals import allocate_lock, get_ident

from .packing import packed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qmon_sdk.protocol.signals import Signal

    Waiting = tuple[int, int, Signal | bytes]
    """Position, size and content of a signal that is in no frame yet; an event may be packed."""

# How long a lock is waited for that nobody holds for long; else there is no copy in the ring.
# Less than the time between two signals: a handler may interrupt the one who has just got it.
_PATIENCE_S = 0.0005
_LONGEST_NOTE = flight.NOTES_BYTES // 8
_FIRST = 8  # position 0 means "none"


class Turn:
    """Whose turn it is to write: whoever finds another writing waits a moment for it.

    A signal's handler that interrupts the one who writes does not: nobody would ever come first.
    """

    __slots__ = ("_lock", "_owner")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._owner = 0

    def take(self) -> bool:
        """Take the turn, if it is to be had."""
        ident = get_ident()
        if self._owner == ident or not self._lock.acquire(timeout=_PATIENCE_S):
            return False
        self._owner = ident
        return True

    def end(self) -> None:
        """Let the others."""
        self._owner = 0
        self._lock.release()


class PureNotes:
    """Entries that are small and may be lost to later ones: logs, attributes, breadcrumbs.

    The accelerator has its own, which needs no lock.
    """

    def __init__(self, buf: memoryview) -> None:
        self._buf = buf
        self._turn = Turn()
        self._end = _FIRST

    def add(self, kind: int, payload: bytes) -> int:
        """Write an entry, and return its position; 0 if it found no place."""
        if len(payload) > _LONGEST_NOTE or not self._turn.take():
            return 0
        try:
            return self._write(kind, payload)
        finally:
            self._turn.end()

    def keep(self, kind: int, signal: Signal, waiting: list[Waiting]) -> int:
        """Write a signal, put it among those waiting in the same order; returns its bytes."""
        payload = packed(signal)
        size = len(payload)
        if size > _LONGEST_NOTE or not self._turn.take():
            waiting.append((0, size, signal))
            return size
        try:
            waiting.append((self._write(kind, payload), size, signal))
        finally:
            self._turn.end()
        return size

    def _write(self, kind: int, payload: bytes) -> int:
        length = len(payload)
        size = NOTE.size + (length + 7 & ~7)
        position = self._end
        place = position % flight.NOTES_BYTES
        if place + size > flight.NOTES_BYTES:  # an entry lies in one piece
            position += flight.NOTES_BYTES - place
            place = 0
        self._end = position + size
        # First what is overwritten stops to count, then what is new begins to.
        WORD.pack_into(self._buf, flight.NOTED, self._end)
        at = flight.NOTES_AT + place
        start = at + NOTE.size
        self._buf[start : start + length] = payload
        NOTE.pack_into(self._buf, at, position, length, kind, 0)
        return position


Notes = PureNotes
if not TYPE_CHECKING and speedups is not None:
    Notes = speedups.Notes


class Held:
    """Messages until they are acknowledged, in whatever order they are."""

    def __init__(self, buf: memoryview) -> None:
        self._buf = buf
        self._turn = Turn()
        self._tail = self._head = 0
        self._entries: deque[int] = deque()  # places, oldest first
        self._places: dict[int, int] = {}  # sequence → place

    def hold(self, sequence: int, message: bytes, logged: int = 0) -> None:
        """Keep a copy where a kill does not reach it, if there is room for it."""
        if not self._turn.take():
            return
        try:
            self._hold(sequence, message, logged)
        finally:
            self._turn.end()

    def release(self, sequence: int) -> None:
        """Give a copy's place back."""
        place = self._places.pop(sequence, None)
        if place is None:
            return
        WORD.pack_into(self._buf, flight.FRAMES_AT + place + flight.HELD_LIVE, 0)
        if not self._turn.take():
            return  # the next release gives this one back too
        try:
            self._give_back()
        finally:
            self._turn.end()

    def _hold(self, sequence: int, message: bytes, logged: int) -> None:
        if sequence in self._places:
            return
        size = HELD.size + (len(message) + 7 & ~7)
        place = self._room(size)
        if place is None:
            return
        at = flight.FRAMES_AT + place
        start = at + HELD.size
        self._buf[start : start + len(message)] = message
        HELD.pack_into(self._buf, at, len(message), sequence, logged, 1)
        self._entries.append(place)
        self._places[sequence] = place
        self._move_head((place + size) % flight.FRAMES_BYTES)

    def _room(self, size: int) -> int | None:
        """Find room for an entry in one piece, leaving a byte, so that full is not empty."""
        head, tail = self._head, self._tail
        if head < tail:
            return head if head + size < tail else None
        if head + size < flight.FRAMES_BYTES:
            return head
        if size >= tail:
            return None
        if head + HELD.size <= flight.FRAMES_BYTES:
            HELD.pack_into(self._buf, flight.FRAMES_AT + head, flight.WRAP, 0, 0, 0)
        return 0

    def _give_back(self) -> None:
        live = flight.FRAMES_AT + flight.HELD_LIVE
        while self._entries:
            if WORD.unpack_from(self._buf, live + self._entries[0])[0]:
                break
            self._entries.popleft()
        self._tail = self._entries[0] if self._entries else self._head
        WORD.pack_into(self._buf, flight.FRAMES_TAIL, self._tail)

    def _move_head(self, head: int) -> None:
        self._head = head
        WORD.pack_into(self._buf, flight.FRAMES_HEAD, head)
