"""Content encodings that the gate does not know, unpacked within limits where their module is."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from qmon_sdk.protocol.errors import OversizeError, WireError

_PIECE = 1 << 20
_MOST_RATIO = 200


class PackingError(WireError):
    """The body is not packed as it says."""

    reason = "packing"


def known_packings() -> frozenset[str]:
    """Those whose module is installed; it is imported when the first such body comes."""
    return frozenset(name for name, is_here in _PACKINGS.items() if is_here())


def most_of(body: bytes, *, max_bytes: int) -> int:
    """What a body may be unpacked to at most; real ones stay far below 200 times of it."""
    return min(max_bytes, len(body) * _MOST_RATIO)


def unpacked(body: bytes, packing: str, *, max_bytes: int) -> bytes:
    """Unpack; raises PackingError, or OversizeError for what unpacks to more."""
    if packing == "br":
        return _bounded(_BrotliReader(body), max_bytes)
    return _of_zstd(body, max_bytes) if packing == "zstd" else body


def _of_zstd(body: bytes, max_bytes: int) -> bytes:
    module = _zstd()
    plain = _bounded(module.ZstdDecompressor().stream_reader(body), max_bytes)
    # The reader does not mind a torn end, so what the head says has to.
    try:
        said = module.frame_content_size(body)
    except module.ZstdError:
        said = None
    if said not in {-1, len(plain)}:
        raise PackingError("the packed body ends too early")
    return plain


def _bounded(reader: Any, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        while part := reader.read(_PIECE):
            size += len(part)
            if size > max_bytes:
                raise OversizeError(f"a body unpacks to at most {max_bytes} bytes")
            parts.append(part)
    except OversizeError:
        raise
    except Exception as problem:  # noqa: BLE001 - these modules raise errors of their own
        raise PackingError(str(problem)[:200] or type(problem).__name__) from None
    return b"".join(parts)


class _BrotliReader:
    """Reads piece by piece, so that a bomb is noticed before it is unpacked."""

    def __init__(self, body: bytes) -> None:
        self._decompressor = _brotli().Decompressor()
        self._body = body

    def read(self, size: int) -> bytes:
        if self._decompressor.is_finished():
            return b""
        given, self._body = self._body, b""
        part: bytes = self._decompressor.process(given, output_buffer_limit=size)
        if not part and not self._decompressor.is_finished():
            raise PackingError("the packed body ends too early")
        return part


def _has_brotli() -> bool:
    """Whether it is one that can stop in the middle: before 1.2 it could not."""
    try:
        parts = version("brotli").split(".")
    except PackageNotFoundError:
        return False
    return tuple(int(part) for part in parts[:2] if part.isdigit()) >= _BROTLI


def _has_zstd() -> bool:
    return find_spec("zstandard") is not None


_BROTLI = 1, 2
_PACKINGS = {"br": _has_brotli, "zstd": _has_zstd}


def _brotli() -> Any:
    return importlib.import_module("brotli")


def _zstd() -> Any:
    return importlib.import_module("zstandard")
