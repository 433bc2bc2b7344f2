"""One record of the journal, its bytes, and the walk over them that damage cannot stop."""

from __future__ import annotations

import struct

import google_crc32c
import msgspec

from .disk import DiskFile

# magic and checksum, then what the checksum covers: length, flags, id, time, process, sequence
_FRONT = struct.Struct("<4sI")
_HEAD = struct.Struct("<IIQq16sQ")
FRONT_BYTES = _FRONT.size
HEAD_BYTES = FRONT_BYTES + _HEAD.size
LEADS_BATCH = 1
_ID = 16
_BLOCK = 1 << 18
_ATTEMPTS = 3


class Position(msgspec.Struct, frozen=True, order=True, gc=False):
    """A place between records: behind `record_id`, at `offset` of the segment so numbered."""

    record_id: int = 0
    segment: int = 0
    offset: int = 0


START = Position()


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is to be written: the original bytes and who sent them."""

    record_id: int
    time: int
    process: bytes
    sequence: int
    payload: bytes


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was written, and the place behind it."""

    record_id: int
    time: int
    process: bytes
    sequence: int
    payload: bytes
    position: Position


def check(payload: bytes, process: bytes, sequence: int) -> None:
    """Raise here, at the caller's, what would otherwise stop the one thread that writes."""
    if type(payload) is not bytes or type(process) is not bytes or len(process) != _ID:
        raise ValueError("a record is bytes, sent by a process that is named by 16 bytes")
    if not 0 <= sequence < 1 << 64:
        raise ValueError(f"{sequence} is no sequence number of 64 bits")


class Salt(msgspec.Struct, frozen=True, gc=False):
    """Eight random bytes in a segment's name, which seed its magic and its checksums.

    A payload is an attacker's: without them it could carry a forged record, to be found by
    whoever looks for the next good one behind a damage.
    """

    magic: bytes
    seed: int

    @classmethod
    def of(cls, raw: bytes) -> Salt:
        return cls(raw[:4], int.from_bytes(raw[4:], "big"))


class Frame(msgspec.Struct, frozen=True, gc=False):
    """An entry as found in a segment: where it begins and ends, and its checksum."""

    entry: Entry
    start: int
    end: int
    flags: int
    checksum: int


def encode(entry: Entry, salt: Salt, *, flags: int = 0) -> tuple[bytes, int]:
    """The bytes before the payload, and the checksum of it all."""
    head = _HEAD.pack(
        len(entry.payload), flags, entry.record_id, entry.time, entry.process, entry.sequence
    )
    checksum = google_crc32c.extend(google_crc32c.extend(salt.seed, head), entry.payload)
    return _FRONT.pack(salt.magic, checksum) + head, checksum


class Walk:
    """Steps through one segment; what is damaged is stepped over and counted in `skipped`."""

    def __init__(self, file: DiskFile, salt: Salt, *, offset: int = 0) -> None:
        self._file = file
        self._salt = salt
        self._window = b""
        self._base = 0
        self.offset = offset
        self.skipped = 0
        self.unreadable = 0
        self.is_patient = False
        """Whether what the disk does not read ends a look, instead of being looked behind."""

    def refresh(self) -> None:
        """Forget what was read ahead: the writer may have changed it since."""
        self._window = b""

    def peek(self) -> Frame | None:
        """The next good record at or behind `offset`; None: there is none, for now."""
        known = self.unreadable
        frame = self._frame_at(self.offset)
        if frame or (self.is_patient and self.unreadable > known):
            return frame
        return self._beyond()

    def _beyond(self) -> Frame | None:
        """Behind a damage; what was only being written when it was looked at is none."""
        if self._search(self.offset + 1) is None:
            return None
        self.refresh()
        return self._frame_at(self.offset) or self._search(self.offset + 1)

    def take(self, frame: Frame) -> None:
        """Go on behind a record that `peek` has shown."""
        self.skipped += frame.start - self.offset
        self.offset = frame.end

    def _frame_at(self, start: int) -> Frame | None:
        head = self._bytes(start, HEAD_BYTES)
        if len(head) < HEAD_BYTES or head[:4] != self._salt.magic:
            return None
        (checksum,) = struct.unpack_from("<I", head, 4)
        length, flags, record_id, time, process, sequence = _HEAD.unpack_from(head, FRONT_BYTES)
        end = start + HEAD_BYTES + length
        if end > self._base + len(self._window) and end > self._file.size():
            return None
        covered = self._bytes(start + FRONT_BYTES, end - start - FRONT_BYTES)
        if len(covered) != end - start - FRONT_BYTES:
            return None
        if google_crc32c.extend(self._salt.seed, covered) != checksum:
            return None
        entry = Entry(
            record_id=record_id,
            time=time,
            process=process,
            sequence=sequence,
            payload=covered[HEAD_BYTES - FRONT_BYTES :],
        )
        return Frame(entry, start, end, flags, checksum)

    def _search(self, start: int) -> Frame | None:
        while window := self._bytes(start, _BLOCK):
            found = window.find(self._salt.magic)
            if found < 0:
                if len(window) < _BLOCK:
                    return None
                start += len(window) - len(self._salt.magic) + 1
            elif frame := self._frame_at(start + found):
                return frame
            else:
                start += found + 1
        return None

    def _bytes(self, start: int, size: int) -> bytes:
        """Up to `size` bytes, fewer only at the end of the file."""
        first = start - self._base
        if first < 0 or first + size > len(self._window):
            self._window = self._load(start, max(size, _BLOCK))
            self._base, first = start, 0
        return self._window[first : first + size]

    def _load(self, start: int, size: int) -> bytes:
        parts: list[bytes] = []
        got = 0
        while got < size and (part := self._read(size - got, start + got)):
            parts.append(part)
            got += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read(self, size: int, offset: int) -> bytes:
        """A block the disk will not give reads as zeros, which are no record: a counted damage."""
        for _ in range(_ATTEMPTS):
            try:
                return self._file.read_at(size, offset)
            except OSError:
                self.unreadable += 1
        return self._zeros(size, offset)

    def _zeros(self, size: int, offset: int) -> bytes:
        try:
            return bytes(max(0, min(size, 4096, self._file.size() - offset)))
        except OSError:
            return b""
