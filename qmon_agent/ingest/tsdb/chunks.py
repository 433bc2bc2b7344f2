"""Samples of one series, some hundred in a row: Gorilla's encoding of times and numbers."""

from __future__ import annotations

import struct
from pathlib import Path

from .cursor import Cursor, DamagedBlockError, sealed

XOR = 1
_MAGIC = 0x85BD40DD
_HEAD_BYTES = 8
_WIDTHS = (14, 17, 20, 64)
"""Bits of how much an interval differs from the one before, by how many ones stand before it."""
_DOUBLE = struct.Struct(">d")
_WORD = struct.Struct(">Q")
_REFERENCE = 32

Sample = tuple[int, float]
"""Milliseconds since 1970, and a number."""


class ChunkFiles:
    """The files of one block's `chunks`; each is read when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._paths = sorted(path for path in folder.iterdir() if path.name.isdigit())
        self._number = -1
        self._data = b""

    def samples(self, reference: int) -> list[Sample] | None:
        """Of the chunk at a reference; None for an encoding other than that of plain numbers.

        Raises DamagedBlockError.
        """
        cursor = Cursor(self._file(reference >> _REFERENCE), reference & ((1 << _REFERENCE) - 1))
        size = cursor.unsigned()
        content = sealed(cursor, size + 1, "a chunk")
        return samples_of(content[1:]) if content[0] == XOR else None

    def _file(self, number: int) -> bytes:
        if number != self._number:
            try:
                self._data = self._paths[number].read_bytes()
            except IndexError:
                raise DamagedBlockError(f"there is no file of chunks number {number}") from None
            if Cursor(self._data).whole(4) != _MAGIC:
                raise DamagedBlockError(f"{self._paths[number]} is no file of chunks")
            self._number = number
        return self._data


def samples_of(data: bytes) -> list[Sample]:
    """All samples of a chunk of plain numbers; raises DamagedBlockError."""
    cursor = Cursor(data)
    count = cursor.whole(2)
    if not count:
        return []
    time = cursor.signed()
    value = cursor.whole(8)
    found = [(time, _number(value))]
    if count == 1:
        return found
    delta = cursor.unsigned()
    bits = _Bits(data[cursor.place :])
    time += delta
    value = bits.value_after(value)
    found.append((time, _number(value)))
    for _ in range(count - 2):
        delta += bits.change_of_delta()
        time += delta
        value = bits.value_after(value)
        found.append((time, _number(value)))
    return found


class _Bits:
    """A stream of bits, and what was said last of where a number differs from the one before."""

    __slots__ = ("_all", "_leading", "_left", "_length")

    def __init__(self, data: bytes) -> None:
        self._all = int.from_bytes(data, "big")
        self._left = 8 * len(data)
        self._leading = self._length = 0

    def take(self, width: int) -> int:
        self._left -= width
        if self._left < 0:
            raise DamagedBlockError("a chunk ends within a sample")
        return (self._all >> self._left) & ((1 << width) - 1)

    def change_of_delta(self) -> int:
        """How much longer or shorter an interval is than the one before."""
        ones = 0
        while ones < len(_WIDTHS) and self.take(1):
            ones += 1
        if not ones:
            return 0
        width = _WIDTHS[ones - 1]
        value = self.take(width)
        # Of the short ones the middle itself is positive; 64 bits are an int64.
        is_negative = value > 1 << (width - 1) or (width == _WIDTHS[-1] and value >> (width - 1))
        return value - (1 << width) if is_negative else value

    def value_after(self, before: int) -> int:
        """The next number, as its 64 bits."""
        if not self.take(1):
            return before
        if self.take(1):
            self._leading = self.take(5)
            self._length = self.take(6) or 64
        trailing = 64 - self._leading - self._length
        if trailing < 0:
            raise DamagedBlockError("a chunk says more bits than a number has")
        return before ^ self.take(self._length) << trailing


def _number(bits: int) -> float:
    (value,) = _DOUBLE.unpack(_WORD.pack(bits))
    return float(value)
