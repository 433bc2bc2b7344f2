"""Small files with a checksum before what they say."""

from __future__ import annotations

import zlib

_BYTES = 4


def sealed(body: bytes) -> bytes:
    """The file."""
    return _checksum(body) + body


def opened(content: bytes) -> bytes:
    """What it says; ValueError where it is damaged."""
    if _checksum(content[_BYTES:]) != content[:_BYTES]:
        raise ValueError("its checksum does not fit")
    return content[_BYTES:]


def _checksum(body: bytes) -> bytes:
    return zlib.crc32(body).to_bytes(_BYTES, "big")
