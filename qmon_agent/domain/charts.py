"""A small chart as PNG: values over time, and the line that matters; no words, no library."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from struct import pack

WIDTH, HEIGHT = 480, 140
_PAD = 6
_WHITE, _FRAME, _VALUE, _BOUND = range(4)
_PALETTE = bytes.fromhex("ffffffd0d0d01565c0d32f2f")
# Where nothing came for so long, no line is drawn: nobody knows what was there.
_GAP = 0.1
_THICK = 2
# Beyond it, differences of two values are not finite.
_LARGEST = 1e300

Point = tuple[int, float]
"""A time in nanoseconds, and the value then."""


def drawn(points: Sequence[Point], *, start: int, end: int, bound: float | None = None) -> bytes:
    """The chart of what lies between the two moments; empty where nothing does."""
    shown = [(at, value) for at, value in points if start <= at <= end and abs(value) <= _LARGEST]
    is_line = bound is not None and abs(bound) <= _LARGEST
    low, high = _range(
        [value for _, value in shown] + ([bound] if is_line and bound is not None else [])
    )
    canvas = _Canvas()
    if is_line and bound is not None:
        canvas.level(_row(bound, low, high))
    span = max(end - start, 1)
    before: tuple[int, int] | None = None
    for at, value in sorted(shown):
        here = _PAD + (at - start) * (WIDTH - 2 * _PAD - 1) // span, _row(value, low, high)
        is_near = before is not None and here[0] - before[0] <= _GAP * WIDTH
        canvas.line(before if is_near and before else here, here)
        before = here
    return canvas.png()


def _range(values: Iterable[float]) -> tuple[float, float]:
    known = [value for value in values if math.isfinite(value)] or [0.0]
    return min(known), max(known)


def _row(value: float, low: float, high: float) -> int:
    # Halved: the difference of the largest and the smallest would be too large.
    height = high / 2 - low / 2
    part = (value / 2 - low / 2) / height if height else 0.5
    return HEIGHT - 1 - _PAD - round(min(max(part, 0.0), 1.0) * (HEIGHT - 1 - 2 * _PAD))


class _Canvas:
    def __init__(self) -> None:
        self._rows = [bytearray(WIDTH) for _ in range(HEIGHT)]
        for row in (self._rows[0], self._rows[-1]):
            row[:] = bytes([_FRAME]) * WIDTH
        for row in self._rows:
            row[0] = row[-1] = _FRAME

    def level(self, row: int) -> None:
        """A dashed line from side to side."""
        for column in range(1, WIDTH - 1):
            if column % 8 < 5:  # noqa: PLR2004 - five of eight are drawn
                self._rows[row][column] = _BOUND

    def line(self, begin: tuple[int, int], end: tuple[int, int]) -> None:
        for column, row in _between(begin, end):
            for more in range(_THICK):
                self._rows[min(row + more, HEIGHT - 1)][column] = _VALUE

    def png(self) -> bytes:
        head = pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0)
        # Before each row stands how it is filtered: not at all.
        pixels = b"".join(b"\0" + bytes(row) for row in self._rows)
        chunks = {b"IHDR": head, b"PLTE": _PALETTE, b"IDAT": zlib.compress(pixels), b"IEND": b""}
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks.items())


def _between(begin: tuple[int, int], end: tuple[int, int]) -> Iterator[tuple[int, int]]:
    steps = max(abs(end[0] - begin[0]), abs(end[1] - begin[1]), 1)
    for step in range(steps + 1):
        part = step / steps
        yield (
            begin[0] + round((end[0] - begin[0]) * part),
            begin[1] + round((end[1] - begin[1]) * part),
        )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return pack(">I", len(content)) + kind + content + pack(">I", zlib.crc32(kind + content))
