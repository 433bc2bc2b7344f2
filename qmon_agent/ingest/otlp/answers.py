"""The two small messages of answers, written without protobuf: who is refused does not load it."""

from __future__ import annotations


def number_and_text(number: int, text: str) -> bytes:
    """Write a message whose first field is a number, and whose second one a text."""
    told = b"\x08" + _varint(number) if number else b""
    data = text.encode("utf-8", "replace")
    return told + (b"\x12" + sized(data) if data else b"")


def sized(data: bytes) -> bytes:
    """A field's bytes behind their length."""
    return _varint(len(data)) + data


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits to a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
