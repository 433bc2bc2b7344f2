"""Payloads nobody can take, kept for a person to look at, with the reason."""

from __future__ import annotations

import builtins
import errno
import threading
from collections import Counter
from collections.abc import Mapping

import msgspec

from .counts import Counts
from .options import JournalOptions
from .places import Places
from .reader import JournalReader
from .records import START, Entry, Salt, Walk
from .segments import OpenSegment, SegmentName, segments_in

_NOBODY = bytes(16)
_SHELVES = 8


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One buried payload; `size` tells how long it was, if only its beginning is kept."""

    record_id: int
    time: int
    reason: str
    size: int
    payload: bytes


def sort_of(reason: str) -> str:
    """What letters are counted by: the reason without its particulars."""
    return reason.partition(":")[0]


class DeadLetters:
    """A small journal of its own, written without waiting for the disk and bounded in bytes."""

    def __init__(self, places: Places, *, options: JournalOptions, counts: Counts) -> None:
        self._places = places
        self._options = options
        self._counts = counts
        self._lock = threading.Lock()
        self._open: OpenSegment | None = None
        self._next_id = 0
        self._first_number = 0
        self._found: Counter[str] | None = None

    def bury(self, payload: bytes, reason: str, *, now: int) -> bool:
        """False: the disk did not take it either, which is counted."""
        cut = payload[: self._options.dead_payload_bytes]
        told = msgspec.msgpack.encode((reason, len(payload), cut))
        with self._lock:
            try:
                segment = self._segment()
                segment.write([self._entry(told, now)], durably=False)
            except OSError:
                self._counts.add("dead_letters_lost")
                self._close()
                return False
            self._next_id += 1
        self._counts.add("dead_letters")
        return True

    def found(self) -> Mapping[str, int]:
        """How many of each sort were there already when this was opened; read once, when asked."""
        with self._lock:
            if self._found is None:
                until = (self._first_number << 32) - 1 if self._first_number else None
                try:
                    self._found = self._count(until)
                except OSError:
                    return {}  # asked again with the next status
            return self._found

    def list(self, limit: int = 100) -> list[DeadLetter]:
        """The newest ones, newest last."""
        reader = JournalReader(self._places.dead, START, disk=self._places.disk)
        letters: list[DeadLetter] = []
        while records := reader.read(max_bytes=1 << 20):
            for record in records:
                reason, size, payload = msgspec.msgpack.decode(record.payload)
                letters.append(
                    DeadLetter(
                        record_id=record.record_id,
                        time=record.time,
                        reason=reason,
                        size=size,
                        payload=payload,
                    )
                )
            del letters[:-limit]
        reader.close()
        return letters

    def forget(self, word: bytes) -> int:
        """Write anew every segment with a letter in which these bytes stand, without it.

        Raises OSError where one cannot be read, or stays: it is to be tried again.
        """
        with self._lock:
            self._close()
            names = segments_in(self._places.list(self._places.dead))
            return sum(self._forget_in(name, word) for name in names)

    def close(self) -> None:
        with self._lock:
            self._close()

    def _forget_in(self, name: SegmentName, word: bytes) -> int:
        found = self._entries(name)
        kept = [entry for entry in found if word not in entry.payload]
        if len(kept) == len(found):
            return 0
        if kept:
            # Killed before the old one is gone, the letters are there twice until the next try.
            fresh = SegmentName.new(name.number, name.first_id)
            segment = OpenSegment.create(self._places.disk, self._places.dead, fresh)
            segment.write(kept)
            segment.close()
        if not self._places.remove(self._places.dead / name.file_name):
            raise OSError(errno.EIO, "dead letters that cannot be removed", name.file_name)
        self._places.disk.sync_directory(self._places.dead)
        return len(found) - len(kept)

    def _entries(self, name: SegmentName) -> builtins.list[Entry]:
        file = self._places.disk.open(self._places.dead / name.file_name, "read")
        entries = []
        try:
            walk = Walk(file, Salt.of(name.salt))
            while frame := walk.peek():
                walk.take(frame)
                entries.append(frame.entry)
            if walk.unreadable:
                raise OSError(errno.EIO, "dead letters that cannot be read", name.file_name)
        finally:
            file.close()
        return entries

    def _count(self, until: int | None) -> Counter[str]:
        reader = JournalReader(self._places.dead, START, disk=self._places.disk)
        found: Counter[str] = Counter()
        try:
            while records := reader.read(until, max_bytes=1 << 20):
                for record in records:
                    reason, _, _ = msgspec.msgpack.decode(record.payload)
                    found[sort_of(reason)] += 1
        finally:
            reader.close()
        return found

    def _entry(self, payload: bytes, now: int) -> Entry:
        return Entry(
            record_id=self._next_id, time=now, process=_NOBODY, sequence=0, payload=payload
        )

    def _segment(self) -> OpenSegment:
        if self._open and self._open.size >= self._options.dead_bytes // _SHELVES:
            self._close()
        if self._open is None:
            number = self._make_room()
            self._first_number = self._first_number or number
            # Ids begin anew with each segment, so that starting reads none of them.
            self._next_id = number << 32
            name = SegmentName.new(number, self._next_id)
            self._open = OpenSegment.create(self._places.disk, self._places.dead, name)
        return self._open

    def _make_room(self) -> int:
        """Drop the oldest; answers the next number."""
        names = segments_in(self._places.list(self._places.dead))
        for name in names[: max(0, len(names) - _SHELVES + 1)]:
            if self._places.remove(self._places.dead / name.file_name):
                self._counts.add("dead_segments_dropped")
        return names[-1].number + 1 if names else 1

    def _close(self) -> None:
        if self._open:
            self._open.close()
            self._open = None
