"""Reading small files of others: a bounded number of bytes, and never from what may block."""

from __future__ import annotations

import os
from stat import S_ISREG

SMALL = 1 << 12
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def text_of(path: str, limit: int = SMALL) -> str:
    """Read the beginning of a file; empty if there is none, or it is no file to be read."""
    return read(path, limit).decode("utf-8", "replace")


def read(path: str, limit: int = SMALL) -> bytes:
    """Read up to `limit` bytes; a pipe, a directory, a missing right and no file are all empty."""
    try:
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError):
        return b""
    try:
        if not S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        pieces = []
        while limit > 0 and (piece := os.read(descriptor, limit)):
            pieces.append(piece)
            limit -= len(piece)
        return b"".join(pieces)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def upwards(directory: str, levels: int = 24) -> list[str]:
    """List a directory and those above it, nearest first."""
    found = [os.path.abspath(directory)]
    while len(found) < levels and (above := os.path.dirname(found[-1])) != found[-1]:
        found.append(above)
    return found
