"""A place in bytes, moved on by what is read: Go's varints and big-endian numbers."""

from __future__ import annotations

import google_crc32c

_MORE, _BITS = 0x80, 0x7F
_CHECKSUM = 4


class DamagedBlockError(Exception):
    """Bytes that are no block, or no longer one."""


class Cursor:
    """Reads forward; raises DamagedBlockError where the bytes end."""

    __slots__ = ("data", "place")

    def __init__(self, data: bytes | memoryview, place: int = 0) -> None:
        self.data = data
        self.place = place

    def take(self, size: int) -> bytes:
        """The next so many bytes."""
        found = bytes(self.data[self.place : self.place + size])
        if size < 0 or len(found) != size:
            raise DamagedBlockError(f"it ends at {len(self.data)}, within {size} bytes")
        self.place += size
        return found

    def whole(self, size: int) -> int:
        """A big-endian number of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def unsigned(self) -> int:
        """A varint."""
        value = shift = 0
        data, place = self.data, self.place
        try:
            while (byte := data[place]) >= _MORE:
                value |= (byte & _BITS) << shift
                shift += 7
                place += 1
        except IndexError:
            raise DamagedBlockError("it ends within a number") from None
        self.place = place + 1
        return value | byte << shift

    def signed(self) -> int:
        """A varint with its sign in the lowest bit."""
        value = self.unsigned()
        return value >> 1 ^ -(value & 1)

    def text(self) -> str:
        """Its length as a varint, then itself."""
        return self.take(self.unsigned()).decode("utf-8", "replace")


def checked(content: bytes, checksum: bytes, what: str) -> bytes:
    """The content, if it has this checksum; else DamagedBlockError."""
    if google_crc32c.value(content) != int.from_bytes(checksum, "big"):
        raise DamagedBlockError(f"the checksum of {what} does not fit")
    return content


def sealed(cursor: Cursor, size: int, what: str) -> bytes:
    """So many bytes that are followed by their checksum."""
    content = cursor.take(size)
    return checked(content, cursor.take(_CHECKSUM), what)
