"""The two small messages of answers, written without protobuf: who is refused does not load it."""

from __future__ import annotations

_RETRY_INFO = b"type.googleapis.com/google.rpc.RetryInfo"


def number_and_text(number: int, text: str) -> bytes:
    """Write a message whose first field is a number, and whose second one a text."""
    told = b"\x08" + varint(number) if number else b""
    data = text.encode("utf-8", "replace")
    return told + (b"\x12" + sized(data) if data else b"")


def retry_details(code: int, text: str, wait_s: int) -> bytes:
    """A google.rpc.Status that tells in its details when to try again: gRPC's `Retry-After`."""
    delay = b"\x08" + varint(wait_s)  # a Duration, of seconds
    info = b"\x0a" + sized(delay)  # a RetryInfo, which has nothing else
    detail = b"\x0a" + sized(_RETRY_INFO) + b"\x12" + sized(info)  # as Any has it
    return number_and_text(code, text) + b"\x1a" + sized(detail)


def sized(data: bytes) -> bytes:
    """A field's bytes behind their length."""
    return varint(len(data)) + data


def varint(number: int) -> bytes:
    """A number, seven bits to a byte."""
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits to a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
