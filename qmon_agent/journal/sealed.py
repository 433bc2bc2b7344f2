"""Small files that say whether they are whole: a word, a checksum, a msgpack body."""

from __future__ import annotations

from pathlib import Path
from typing import Generic, TypeVar

import google_crc32c
import msgspec

from .disk import Disk, patiently, read_all, replace_file

_LIMIT = 64 * 1024 * 1024
_TRIES = 6  # what was trimmed is remembered by such a file alone
_Body = TypeVar("_Body")


class DamagedFileError(Exception):
    """A small file that is there and cannot be trusted."""


class SealedFile(Generic[_Body]):
    """One kind of small file: the word it begins with and what its body is."""

    def __init__(self, word: bytes, kind: type[_Body]) -> None:
        self._word = word
        self._kind = kind

    def save(self, disk: Disk, path: Path, *, body: _Body) -> None:
        """Atomic and durable; raises OSError with the old content kept."""
        data = msgspec.msgpack.encode(body)
        replace_file(disk, path, self._front(data) + data)

    def load(self, disk: Disk, path: Path) -> _Body:
        """Raises OSError from the disk, DamagedFileError when this is not what was saved."""
        raw = patiently(lambda: read_all(disk, path, limit=_LIMIT), tries=_TRIES)
        data = raw[len(self._word) + 4 :]
        if raw[: -len(data) or None] != self._front(data):
            raise DamagedFileError(f"{path.name}: checksum")
        try:
            return msgspec.msgpack.decode(data, type=self._kind)
        except msgspec.MsgspecError as error:
            raise DamagedFileError(f"{path.name}: {error}") from error

    def _front(self, data: bytes) -> bytes:
        checksum: int = google_crc32c.extend(google_crc32c.value(self._word), data)
        return self._word + checksum.to_bytes(4, "little")
