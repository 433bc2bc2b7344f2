"""Small files that say whether they are whole: a word, a checksum, a msgpack body."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import google_crc32c
import msgspec

from .disk import Disk, read_all, replace_file

_LIMIT = 64 * 1024 * 1024
_Body = TypeVar("_Body")


class DamagedFileError(Exception):
    """A small file that is there and cannot be trusted."""


def save_sealed(disk: Disk, path: Path, word: bytes, body: object) -> None:
    data = msgspec.msgpack.encode(body)
    checksum = google_crc32c.extend(google_crc32c.value(word), data)
    replace_file(disk, path, word + checksum.to_bytes(4, "little") + data)


def load_sealed(disk: Disk, path: Path, word: bytes, kind: type[_Body]) -> _Body:
    """Raises OSError from the disk, DamagedFileError when the content is not what was saved."""
    raw = read_all(disk, path, limit=_LIMIT)
    front = len(word) + 4
    data = raw[front:]
    checksum = google_crc32c.extend(google_crc32c.value(word), data)
    if raw[:front] != word + checksum.to_bytes(4, "little"):
        raise DamagedFileError(f"{path.name}: checksum")
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise DamagedFileError(f"{path.name}: {error}") from error
