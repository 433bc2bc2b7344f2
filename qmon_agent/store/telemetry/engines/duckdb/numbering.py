"""Points as rows of the hot file: series that have no number yet, and samples by number.

A process tells the same series again and again, mostly in the same order: a block whose naming
columns are, byte for byte, those of an earlier one has the same numbers, and no row of it is looked
at. Elsewhere rows are looked up one by one. What is remembered is bounded; a series that was
forgotten gets another number, which is as good.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b
from itertools import pairwise

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from qmon_agent.store.telemetry.arrays import ZEROS

from .series import BUCKETS, NAMING, NUMBER, SAID

MAX_SERIES = 1 << 17
MAX_BLOCK_ROWS = 1 << 20
"""Of all blocks that are remembered together."""
DIGEST_BYTES = 16
NAMES = tuple(each.name for each in NAMING)
VALUES = tuple(each.name for each in SAID)
TYPE = pa.uint32()

encode = msgspec.msgpack.Encoder().encode


class Numbers:
    """The numbers of one generation. What a batch has added is kept once that is committed."""

    def __init__(
        self, after: int, *, series: int = MAX_SERIES, block_rows: int = MAX_BLOCK_ROWS
    ) -> None:
        self._next = after + 1
        self._most_series = series
        self._most_block_rows = block_rows
        self._series: dict[bytes, int] = {}
        self._blocks: dict[bytes, pa.Array] = {}
        self._block_rows = 0
        self._new_series: dict[bytes, int] = {}
        self._new_blocks: dict[bytes, pa.Array] = {}

    def tables(self, points: pa.Table) -> dict[str, pa.Table]:
        """Table of the hot file → rows for it; those without rows are left out."""
        self._new_series, self._new_blocks = {}, {}
        numbers, new = [], []
        for block in points.to_batches():
            of_block, first_seen = self._numbers_of(block)
            numbers.append(of_block)
            new += first_seen
        found = {"series": pa.Table.from_batches(new)} if new else {}
        return found | _by_buckets(points, pa.chunked_array(numbers, TYPE))

    def keep(self) -> None:
        """What `tables` told last is in the file."""
        if len(self._series) + len(self._new_series) > self._most_series:
            self._series.clear()
        if self._block_rows > self._most_block_rows:
            self._blocks.clear()
            self._block_rows = 0
        self._series |= self._new_series
        self._blocks |= self._new_blocks
        self._block_rows += sum(map(len, self._new_blocks.values()))
        self._new_series, self._new_blocks = {}, {}

    def _numbers_of(self, block: pa.RecordBatch) -> tuple[pa.Array, list[pa.RecordBatch]]:
        named = block.select(NAMES)
        digest = _digest(named)
        known = self._blocks.get(digest)
        if known is None:
            known = self._new_blocks.get(digest)
        if known is not None:
            return known, []
        names = _names(named)
        numbers = list(map(self._series.get, names))
        rows = self._number(names, numbers) if None in numbers else []
        made = self._new_blocks[digest] = pa.array(numbers, TYPE)
        return made, [_first_seen(named, made, rows)] if rows else []

    def _number(self, names: list[bytes], numbers: list[int | None]) -> list[int]:
        """Fill in the numbers that are missing; the rows of series that nobody had numbered."""
        new, rows = self._new_series, []
        for row, number in enumerate(numbers):
            if number is None:
                given = numbers[row] = new.setdefault(names[row], self._next)
                if given == self._next:
                    self._next += 1
                    rows.append(row)
        return rows


def _first_seen(named: pa.RecordBatch, numbers: pa.Array, rows: list[int]) -> pa.RecordBatch:
    places = pa.array(rows, TYPE)
    taken = named.take(places)
    return taken.append_column(NUMBER.name, numbers.take(places))


def _by_buckets(points: pa.Table, numbers: pa.ChunkedArray) -> dict[str, pa.Table]:
    """Samples without buckets, and those with them."""
    rows = points.select([*VALUES, BUCKETS.name]).append_column(NUMBER.name, numbers)
    spread = _spread(rows.column(BUCKETS.name))
    if spread is None:
        return {"samples": rows.drop_columns([BUCKETS.name])}
    parts = {
        "samples": rows.filter(pc.invert(spread)).drop_columns([BUCKETS.name]),
        "spreads": rows.filter(spread),
    }
    return {name: part for name, part in parts.items() if part.num_rows}


def _spread(buckets: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Which rows have buckets; nothing where none has."""
    if not any(len(chunk.items) for chunk in buckets.chunks):
        return None
    offsets = [chunk.offsets for chunk in buckets.chunks]
    return pa.chunked_array(
        [pc.not_equal(each.slice(1), each.slice(0, len(each) - 1)) for each in offsets], pa.bool_()
    )


def _names(named: pa.RecordBatch) -> list[bytes]:
    """What tells the series of each row from all others."""
    *words, labels = named.columns
    ends = pairwise(labels.offsets.to_pylist())
    keys, items = labels.keys.to_pylist(), labels.items.to_pylist()
    said = zip(*map(_texts, words), strict=True)
    return [
        blake2b(
            encode((name, keys[first:end], items[first:end])), digest_size=DIGEST_BYTES
        ).digest()
        for name, (first, end) in zip(said, ends, strict=True)
    ]


def _texts(words: pa.DictionaryArray) -> list[str]:
    values: list[str] = words.dictionary.to_pylist()
    if len(values) == 1:
        return values * len(words)
    return [values[place] for place in words.indices.to_pylist()]


def _digest(named: pa.RecordBatch) -> bytes:
    """The same for the same rows in the same order, if they came the same way."""
    *words, labels = named.columns
    buffers = list(labels.buffers())
    sizes = array("q", (len(labels), labels.offset))
    for column in words:
        places, values = column.indices, column.dictionary
        sizes.extend((places.offset, len(values), values.offset))
        buffers += places.buffers()
        buffers += values.buffers()
    parts = [_bytes_of(buffer) for buffer in buffers]
    sizes.extend(map(len, parts))
    return blake2b(b"".join((sizes, *parts)), digest_size=DIGEST_BYTES).digest()


def _bytes_of(buffer: pa.Buffer | None) -> bytes | memoryview:
    """Nothing for the zeros of which all that is the same in every row is made."""
    if buffer is None or buffer.address == ZEROS.address:
        return b""
    return memoryview(buffer)
