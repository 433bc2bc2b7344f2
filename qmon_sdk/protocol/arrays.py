"""Numbers as little-endian bytes, whatever the machine: the type codes are those of `array`."""

from __future__ import annotations

from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

U32 = "I"
I32 = "i"
I64 = "q"
U64 = "Q"
F64 = "d"

_LITTLE = array("H", [1]).tobytes() == b"\x01\x00"


def packed(code: str, values: Any) -> bytes:
    """Write numbers as little-endian bytes of the `array` type code."""
    numbers = array(code, values)
    if not _LITTLE:
        numbers.byteswap()
    return numbers.tobytes()


def unpacked(code: str, data: bytes) -> array[Any]:
    """Read little-endian numbers; raises `ValueError` if the bytes are no whole number of them."""
    numbers = array(code)
    numbers.frombytes(data)
    if not _LITTLE:
        numbers.byteswap()
    return numbers
