"""The few forms protobuf's bytes have, for messages too small to bring a compiler for.

What has its default value is left out, as proto3 writes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

_VARINT, _FIXED64, _LENGTH = 0, 1, 2
_DOUBLE = Struct("<d")
_MORE, _LOW = 0x80, 0x7F
_64_BITS = (1 << 64) - 1


def varint(value: int) -> bytes:
    """A number from 0, or the 64 bits of a negative one."""
    value &= _64_BITS
    if value <= _LOW:
        return bytes((value,))
    out = bytearray()
    while value > _LOW:
        out.append((value & _LOW) | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value: int) -> int:
    """Signed numbers as unsigned ones, small ones small."""
    return (value << 1) ^ (value >> 63)


def whole(field: int, value: int) -> bytes:
    """A number of type int64, uint64, uint32 or an enumeration."""
    return varint(field << 3 | _VARINT) + varint(value) if value else b""


def signed(field: int, value: int) -> bytes:
    """A number of type sint32 or sint64."""
    return whole(field, zigzag(value))


def double(field: int, value: float) -> bytes:
    # Zero without a sign alone is the default.
    packed = _DOUBLE.pack(value)
    return varint(field << 3 | _FIXED64) + packed if any(packed) else b""


def data(field: int, value: bytes) -> bytes:
    """Bytes, or a message inside a message; told even when empty, as it is one of a list."""
    return varint(field << 3 | _LENGTH) + varint(len(value)) + value


def text(field: int, value: str) -> bytes:
    return data(field, value.encode("utf-8", "replace")) if value else b""


def packed(field: int, values: Iterable[int]) -> bytes:
    """A list of numbers in one piece."""
    joined = b"".join(map(varint, values))
    return data(field, joined) if joined else b""
