"""Rows as JSON by series, a column at a time: what tells a series apart is written once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import accumulate, chain, pairwise, repeat
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from .objects import NUMBERS, repeats

_encode = msgspec.json.Encoder().encode
Values = Callable[[pa.Array], list[Any]]


def in_series(rows: pa.Table, *, by: Collection[str], readers: Sequence[Values]) -> bytes:
    """An array with an object for each series, as `Layout` has them; a reader is of a column."""
    if not rows.num_rows:
        return b"[]"
    numbers = _numbers(rows, by)
    order = pc.array_sort_indices(numbers)  # rows of a series stay in their order
    ends = [0, *accumulate(pc.value_counts(numbers).field(1).to_pylist())]
    heads, lists = order.take(pa.array(ends[:-1])), _Lists(ends)
    told: list[Iterable[bytes]] = []
    for name, column, read in zip(rows.column_names, rows.columns, readers, strict=True):
        told.append(repeat((b"," if told else b"{") + _encode(name) + b":"))
        whole = column.combine_chunks()
        if name in by:
            told.append([*map(_encode, read(whole.take(heads)))])
        else:
            told.append(lists.of(whole.take(order), read))
    return _array(zip(*told, repeat(b"},"), strict=False))


def _numbers(rows: pa.Table, by: Collection[str]) -> pa.Array:
    """The same number in all rows of a series, from 0 on as they come."""
    numbers = pa.repeat(pa.scalar(0, pa.int64()), rows.num_rows)
    for name in by:
        named = pc.dictionary_encode(rows.column(name), null_encoding="encode").combine_chunks()
        apart = pc.multiply(numbers, len(named.dictionary))
        told = pc.add(apart, named.indices.cast(pa.int64()))
        numbers = told.dictionary_encode().indices.cast(pa.int64())
    return numbers


class _Lists:
    """Columns in the order of series, each of which has a stretch."""

    def __init__(self, ends: Sequence[int]) -> None:
        self._ends = ends
        self._known: list[tuple[pa.Array, list[bytes]]] = []

    def of(self, column: pa.Array, read: Values) -> list[bytes]:
        """A gauge's level is its latest value, and a counter's its total: written once."""
        for known, told in self._known:
            if _are_the_same(known, column):
                return told
        told = self._written(column, read)
        self._known.append((column, told))
        return told

    def _written(self, column: pa.Array, read: Values) -> list[bytes]:
        stretches = pairwise(self._ends)
        if (cells := repeats(column)) is not None:
            return [b"[%b]" % b",".join(cells[start:end]) for start, end in stretches]
        values = read(column)
        return [_encode(values[start:end]) for start, end in stretches]


def _are_the_same(one: pa.Array, other: pa.Array) -> bool:
    """Bit for bit, of numbers: 0.0 is another number than -0.0 here."""
    if one.type != other.type or one.type not in NUMBERS or one.null_count or other.null_count:
        return False
    (_, ones), (_, others) = one.buffers(), other.buffers()
    return bool(one.offset == other.offset == 0 and ones.equals(others))


def _array(objects: Iterable[Iterable[bytes]]) -> bytes:
    pieces = [b"[", *chain.from_iterable(objects)]
    pieces[-1] = b"}]"  # and no comma
    return b"".join(pieces)
