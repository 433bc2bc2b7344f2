"""A frame with some of its columns written anew; everything else in it stays as it came."""

from __future__ import annotations

from .errors import OversizeError
from .frames import MAX_FRAME_BYTES, head_of, pack, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_NAMED, _BLOCKS, _COLUMNS = 3, 5, 2  # elements of the head, and where the others stand


def amend(data: bytes, columns: Mapping[tuple[int, int], Any]) -> bytes:
    """Put these columns, by the numbers of block and column, into a frame that can be decoded.

    What a newer writer has appended is kept. Raises `OversizeError` if it has no room any more.
    """
    parts = unpack(data)
    for (block, column), written in columns.items():
        parts[_BLOCKS][block][_COLUMNS][column] = written
    amended = b"".join((head_of(data), *map(pack, parts[_NAMED:])))
    if len(amended) > MAX_FRAME_BYTES:
        message = f"a frame of {len(amended)} bytes; the most is {MAX_FRAME_BYTES}"
        raise OversizeError(message)
    return amended
