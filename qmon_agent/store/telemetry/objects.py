"""Rows as JSON, a column at a time: whoever hands an answer on need not look into it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

import msgspec
import pyarrow as pa

from .plain import plain, wholes

NUMBERS = (pa.int64(), pa.float64())
APART = b"},{"
LOOKED_AT, OFTEN = 4_096, 4
"""Numbers are repeated if so many of them are so few different ones."""
_encode = msgspec.json.Encoder().encode
Cells = Callable[[pa.Array, bytes], list[bytes]]


def objects(names: Sequence[str], columns: Iterable[pa.Array], readers: Iterable[Cells]) -> bytes:
    """Rows as objects, each with `},{` before it; a reader makes the cells of a column."""
    marks = chain((APART,), (b"," for _ in names))
    parts = [
        read(column, mark + _encode(name) + b":")
        for read, column, name, mark in zip(readers, columns, names, marks, strict=False)
    ]
    return b"".join(chain.from_iterable(zip(*parts, strict=True)))


def array(pieces: Iterable[bytes]) -> bytes:
    """Pieces of objects as one array of JSON."""
    first, *others = (*filter(None, pieces), b"")
    return b"".join((b"[{", first[len(APART) :], *others, b"}]")) if first else b"[]"


def cells(column: pa.Array, before: bytes) -> list[bytes]:
    """The values of a column as `plain` and an encoder of JSON make them, with `before` each."""
    if (repeated := repeats(column, before)) is not None:
        return repeated
    if column.type in NUMBERS and len(column):  # there is no comma and no line in any of them
        told = _encode(plain(column))[1:-1].replace(b",", b"\n" + before)
        return (before + told).split(b"\n")
    return written(plain(column), before)


def repeats(column: pa.Array, before: bytes = b"") -> list[bytes] | None:
    """The same of a column that says few things often, each of them written once; else nothing."""
    bits = column.view(pa.int64()) if column.type == pa.float64() else column  # 0.0 is not -0.0
    if column.null_count or not _has_few(bits):
        return None
    found = bits.dictionary_encode()
    words = written(plain(found.dictionary.view(column.type)), before)
    return list(map(words.__getitem__, wholes(found.indices.cast(pa.int64()))))


def written(values: Iterable[Any], before: bytes) -> list[bytes]:
    """Values that JSON has, each as it is written, with `before` each."""
    return [before + _encode(value) for value in values]


def _has_few(column: pa.Array) -> bool:
    """Names and starts of stretches are repeated, as are numbers that somebody rounded."""
    kind = column.type
    if pa.types.is_integer(kind):
        first = column.slice(0, LOOKED_AT)
        return len(first.unique()) * OFTEN < len(first)
    return bool(pa.types.is_string(kind) or pa.types.is_timestamp(kind))
