"""Files that are on the disk when a function returns."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from pathlib import Path

CHUNK = 1 << 20
_PAUSE_S = 0.25


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Put a new content in place of the old: after a crash it is the one or the other, whole."""
    fresh = path.with_suffix(".new")
    with open(fresh, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync(path.parent)


def read(path: Path, *, patience_s: float) -> bytes:
    """The whole of a file; raises OSError, for what may be read in a moment only then."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return path.read_bytes()
        except OSError as error:
            if error.errno != errno.EIO or time.monotonic() > until:
                raise
        time.sleep(_PAUSE_S)


def sha256_of(path: Path) -> str:
    """The checksum a segment is listed with."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
