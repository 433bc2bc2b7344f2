"""Columns as the census reads them: what tells the rows of a block apart, and what is put instead.

A series is a metric with its attributes, in whatever order they stand. Columns come from strangers:
every function raises for one that contradicts itself, and its caller lets the block pass as it is,
since no table will take it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

from qmon_sdk.protocol.arrays import U32, unpacked
from qmon_sdk.protocol.columns import decode_column
from qmon_sdk.protocol.columns import labels as label_column
from qmon_sdk.protocol.columns import words as word_column
from qmon_sdk.protocol.signals import FIELDS

OVERFLOW = {"otel.metric.overflow": "true"}
"""The attributes of what there was no room for, as OpenTelemetry has it."""
OVERFLOW_NAME = "qmon.overflow"
"""The name of what there was no room for, of metrics too that are not known by then."""


def place_of(kind: str, name: str) -> int:
    """Which column of a kind has this field."""
    return next(place for place, field in enumerate(FIELDS[kind]) if field.name == name)


def layout_of(service: str, *columns: Any) -> int:
    """A number that is the same for columns written the same; 0 where that cannot be told."""
    try:
        return hash((service, *map(_frozen, columns)))
    except TypeError:
        return 0


def distinct_words(column: Any) -> Sequence[str]:
    """The different texts of a column, some perhaps several times."""
    if isinstance(column, str):
        return (column,)
    tag, *rest = column
    if tag not in {"d", "t"}:
        raise ValueError(f"words written as {tag!r}")
    values: Sequence[str] = rest[-1]
    return values


def each_word(column: Any, rows: int) -> Iterator[str]:
    """The text of each row."""
    if isinstance(column, str):
        return repeat(column, rows)
    return iter(decode_column(column, "Word", rows))


def each_label_set(column: Any, rows: int) -> Iterator[int]:
    """A number for each row, the same for the same attributes."""
    if isinstance(column, dict):
        return repeat(_number_of(column), rows)
    return _LABEL_READERS[column[0]](*column[1:])


def with_labels(column: Any, rows: int, over: Iterable[int]) -> Any:
    """The column with the rows in `over` made those of the overflow."""
    values = decode_column(column, "Labels", rows)
    for row in over:
        values[row] = OVERFLOW
    return label_column(values)


def with_words(column: Any, rows: int, over: Iterable[int]) -> Any:
    """The column with the rows in `over` called what the overflow is."""
    values = decode_column(column, "Word", rows)
    for row in over:
        values[row] = OVERFLOW_NAME
    return word_column(values)


def _from_pairs(counts: bytes, places: bytes, *texts: Sequence[str]) -> Iterator[int]:
    keys, values = texts
    pairs = zip(map(keys.__getitem__, unpacked(U32, places)), values, strict=True)
    flat, start = [*pairs], 0
    for count in unpacked(U32, counts):
        yield hash(frozenset(flat[start : start + count]))
        start += count


def _from_dictionary(places: bytes, maps: Sequence[dict[str, str]]) -> Iterator[int]:
    return map([_number_of(one) for one in maps].__getitem__, unpacked(U32, places))


def _number_of(labels: dict[str, str]) -> int:
    return hash(frozenset(labels.items()))


_LABEL_READERS: dict[str, Callable[..., Iterator[int]]] = {
    "d": _from_dictionary,
    "k": _from_pairs,
}


def _frozen(column: Any) -> Any:
    if isinstance(column, list):
        return tuple([tuple(part) if isinstance(part, list) else part for part in column])
    return frozenset(column.items()) if isinstance(column, dict) else column
