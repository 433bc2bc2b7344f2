"""Segments by name, what is known of one, and the one being written."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import google_crc32c
import msgspec

from .dedup import Intervals, Row, Spoken, rows_of
from .disk import Disk, DiskFile, write_all
from .records import LEADS_BATCH, Entry, Position, Record, Salt, encode

_NAME = re.compile(r"(\d{10})-(\d{20})-([0-9a-f]{16})\.seg")


class SegmentName(msgspec.Struct, frozen=True, order=True):
    """Number, the first record id it may hold, salt: all a reader must know, safe from bit rot.

    A segment owns the ids from its own first up to the first of the next: what a failed sync left
    behind in it beyond that is void.
    """

    number: int
    first_id: int
    salt: bytes

    @classmethod
    def new(cls, number: int, first_id: int) -> SegmentName:
        # No zero byte: a hole in a file must not look like magic.
        return cls(number, first_id, bytes(byte or 1 for byte in os.urandom(8)))

    @classmethod
    def parse(cls, file_name: str) -> SegmentName | None:
        match = _NAME.fullmatch(file_name)
        return cls(int(match[1]), int(match[2]), bytes.fromhex(match[3])) if match else None

    @property
    def file_name(self) -> str:
        return f"{self.number:010d}-{self.first_id:020d}-{self.salt.hex()}.seg"

    @property
    def index_name(self) -> str:
        return self.file_name.removesuffix(".seg") + ".idx"


def segments_in(names: Iterable[str]) -> list[SegmentName]:
    return sorted(name for text in names if (name := SegmentName.parse(text)))


class SegmentIndex(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a segment holds, as in its sidecar; `checksum` is over its records' checksums."""

    first_id: int = 0
    last_id: int = 0
    records: int = 0
    size: int = 0
    first_time: int = 0
    last_time: int = 0
    checksum: int = 0
    skipped: int = 0
    seen: list[Row] = []


class Tally:
    """Counts the records of a segment as they are written or found."""

    def __init__(self) -> None:
        self._spoken: dict[bytes, Spoken] = {}
        self.first_id = self.last_id = self.records = 0
        self.first_time = self.last_time = self._checksum = 0

    def add(self, entry: Entry, checksum: int) -> None:
        if not self.records:
            self.first_id, self.first_time = entry.record_id, entry.time
        self.records += 1
        self.last_id = entry.record_id
        self.last_time = max(self.last_time, entry.time)
        self._checksum = google_crc32c.extend(self._checksum, checksum.to_bytes(4, "little"))
        spoken = self._spoken.get(entry.process)
        if spoken is None:
            spoken = self._spoken[entry.process] = Spoken(entry.time, Intervals())
        spoken.time = max(spoken.time, entry.time)
        spoken.intervals.add(entry.sequence, entry.sequence)

    def index(self, *, size: int, skipped: int = 0) -> SegmentIndex:
        return SegmentIndex(
            first_id=self.first_id,
            last_id=self.last_id,
            records=self.records,
            size=size,
            first_time=self.first_time,
            last_time=self.last_time,
            checksum=self._checksum,
            skipped=skipped,
            seen=rows_of(self._spoken),
        )


class SyncFailedError(OSError):
    """The disk took the bytes and would not promise them: its cache is not to be believed."""


class OpenSegment:
    """The segment at the end: batches go in whole, with one write and one sync, or not at all."""

    def __init__(self, file: DiskFile, name: SegmentName, *, tally: Tally, size: int = 0) -> None:
        self.name = name
        self.tally = tally
        self.size = size
        self.skipped = 0
        self._file = file
        self._salt = Salt.of(name.salt)

    @classmethod
    def create(cls, disk: Disk, directory: Path, name: SegmentName) -> OpenSegment:
        """A new file whose name is durable before anything in it is."""
        file = disk.open(directory / name.file_name, "create")
        try:
            disk.sync_directory(directory)
        except OSError:
            file.close()
            raise
        return cls(file, name, tally=Tally())

    def write(self, batch: Sequence[Entry], *, durably: bool = True) -> list[Record]:
        """Raises OSError with nothing kept, or SyncFailedError with nothing to be believed."""
        parts: list[bytes] = []
        records: list[Record] = []
        checksums: list[int] = []
        end = self.size
        for entry in batch:
            head, checksum = encode(entry, self._salt, flags=0 if parts else LEADS_BATCH)
            parts += (head, entry.payload)
            checksums.append(checksum)
            end += len(head) + len(entry.payload)
            records.append(placed(entry, Position(entry.record_id, self.name.number, end)))
        self._put(b"".join(parts))
        if durably:
            self._sync()
        for entry, checksum in zip(batch, checksums, strict=True):
            self.tally.add(entry, checksum)
        self.size = end
        return records

    def rewrite(self, start: int) -> None:
        """Write what is there from `start` once more, and sync.

        Before a kill a sync may have failed without anybody left to tell: then the cache shows
        what the disk does not hold, and calls it clean.
        """
        while start < self.size:
            block = self._file.read_at(min(1 << 20, self.size - start), start)
            if not block:
                raise OSError(errno.EIO, "the segment is shorter than it was")
            write_all(self._file, block, start)
            start += len(block)
        self._file.truncate(self.size)
        self._file.sync()

    def cut(self) -> None:
        """Take away what lies behind the last good record; no harm if the disk refuses."""
        try:
            self._file.truncate(self.size)
        except OSError:
            return

    def index(self) -> SegmentIndex:
        return self.tally.index(size=self.size, skipped=self.skipped)

    def close(self) -> None:
        try:
            self._file.close()
        except OSError:
            return

    def _put(self, data: bytes) -> None:
        try:
            write_all(self._file, data, self.size)
        except OSError:
            self.cut()
            raise

    def _sync(self) -> None:
        try:
            self._file.sync()
        except OSError as error:
            self.cut()
            raise SyncFailedError(error.errno, error.strerror) from error


def placed(entry: Entry, position: Position) -> Record:
    return Record(
        record_id=entry.record_id,
        time=entry.time,
        process=entry.process,
        sequence=entry.sequence,
        payload=entry.payload,
        position=position,
    )
