"""Files that grow: read from a durable place on, through renames, copies and truncation.

A place names the part of a file that is on its way, written down before that part is sent. After a
crash exactly that part is read and sent again, under the same name: the journal knows whether it
has it. So no line is lost, and none is there twice.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import msgspec

from qmon_agent.ingest.log_lines import groups_of
from qmon_agent.ingest.order import Order

_HEAD_BYTES = 1_024
_TURN_BYTES = 256 * 1024


class Place(msgspec.Struct, kw_only=True):
    """How far a file is read."""

    path: str
    id: str
    """Of this content under this name; the part that is sent is named by it and where it begins."""
    device: int
    inode: int
    start: int = 0
    """All before is on disk."""
    end: int = 0
    """Perhaps all before this is, too."""
    head: str = ""
    """Digest of how it begins; another beginning is another file, whatever its number."""
    head_bytes: int = 0


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Whole lines of one file, to be sent as one."""

    file: Followed
    start: int
    end: int
    data: bytes


class Followed:
    """One open file. Called on one thread."""

    def __init__(self, place: Place, file: BinaryIO) -> None:
        self.place = place
        self.order = Order()
        self._file = file
        self._size_before = -1

    @property
    def key(self) -> tuple[int, int]:
        return self.place.device, self.place.inode

    def read(self, *, is_left: bool) -> Batch | None:
        """What is to be sent next: whole lines, and the last group once nothing was added to it
        since the time before. Nobody goes on writing to a file that `is_left`.
        """
        self._notice_truncation()
        place = self.place
        size = os.fstat(self._file.fileno()).st_size
        is_still = size == self._size_before
        self._size_before = size
        if place.end > place.start:  # on its way before a crash, or refused
            data = self._at(place.start, place.end - place.start)
            return Batch(file=self, start=place.start, end=place.start + len(data), data=data)
        data = self._at(place.start, _TURN_BYTES)
        if not data:
            return None
        is_all = place.start + len(data) >= size
        if not (is_left and is_all and is_still):
            data = _whole(data, keep_last=is_all and not is_still)
        if not data:
            return None
        place.end = place.start + len(data)
        self._notice_head()
        return Batch(file=self, start=place.start, end=place.end, data=data)

    def is_finished(self) -> bool:
        return os.fstat(self._file.fileno()).st_size <= self.place.start

    def close(self) -> None:
        self._file.close()

    def _at(self, start: int, size: int) -> bytes:
        return os.pread(self._file.fileno(), size, start)

    def _notice_head(self) -> None:
        size = min(_HEAD_BYTES, self.place.end)
        if size > self.place.head_bytes:
            self.place.head, self.place.head_bytes = _digest(self._at(0, size)), size

    def _notice_truncation(self) -> None:
        place = self.place
        size = os.fstat(self._file.fileno()).st_size
        begins_anew = size < max(place.start, place.end) or (
            place.head_bytes and _digest(self._at(0, place.head_bytes)) != place.head
        )
        if begins_anew:
            self.place = Place(
                path=place.path, id=os.urandom(16).hex(), device=place.device, inode=place.inode
            )


def open_at(path: Path, place: Place | None, *, at_end: bool = False) -> Followed | None:
    """Follow a file from its place, or from its beginning or end; nothing if it cannot be read."""
    try:
        file = path.open("rb")
    except OSError:
        return None
    status = os.fstat(file.fileno())
    if place is None:
        start = status.st_size if at_end else 0
        place = Place(
            path=str(path),
            id=os.urandom(16).hex(),
            device=status.st_dev,
            inode=status.st_ino,
            start=start,
            end=start,
        )
    return Followed(place, file)


def key_of_path(path: Path) -> tuple[int, int] | None:
    """Device and inode of a regular file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if path.is_file() else None


def moved(place: Place) -> Path | None:
    """Where a file is that was renamed: beside its old name, under one that begins like it."""
    path = Path(place.path)
    for beside in sorted(path.parent.glob(f"{path.name}*")):
        if key_of_path(beside) == (place.device, place.inode):
            return beside
    return None


def _whole(data: bytes, *, keep_last: bool) -> bytes:
    """Without the line that is not ended; and without the last group, which may still go on."""
    end = data.rfind(b"\n") + 1
    if not end:
        return data if len(data) >= _TURN_BYTES else b""  # longer than a turn: it is cut
    if not keep_last:
        return data[:end]
    lines = data[: end - 1].split(b"\n")
    *_, (last, _) = groups_of(lines)
    return b"".join(line + b"\n" for line in lines[:last])


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()
