"""Labels that were read before: a process names the same series again and again.

What a column says on the wire is the same, byte for byte, for the same series in the same order;
then the array of before is theirs as well. What is remembered is bounded by its bytes.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec
import pyarrow as pa

from .arrays import array_of

LABELS = "Labels"
MOST_BYTES = 4 << 20
MOST_OF_ONE = 4
"""No array may be larger than this part of all."""
DIGEST_BYTES = 16

_encode = msgspec.msgpack.Encoder().encode


class KnownLabels:
    """Arrays by what was written; those that came last are remembered."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._known: dict[bytes, pa.Array] = {}

    def read(self, column: Any, rows: int) -> pa.Array:
        """As `array_of` reads it; raises what that does."""
        if not isinstance(column, list):
            return array_of(column, LABELS, rows)
        try:
            digest = blake2b(_encode((rows, column)), digest_size=DIGEST_BYTES).digest()
        except (TypeError, ValueError, OverflowError, RecursionError):
            return array_of(column, LABELS, rows)  # which says what is wrong with it
        known = self._known.pop(digest, None)
        if known is None:
            return self._kept(digest, array_of(column, LABELS, rows))
        self._known[digest] = known
        return known

    def _kept(self, digest: bytes, read: pa.Array) -> pa.Array:
        if read.nbytes * MOST_OF_ONE <= self._most_bytes:
            self._known[digest] = read
            self._bytes += read.nbytes
        while self._bytes > self._most_bytes:
            oldest = next(iter(self._known))
            self._bytes -= self._known.pop(oldest).nbytes
        return read
