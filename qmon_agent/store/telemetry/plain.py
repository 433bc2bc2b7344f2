"""Arrow values as JSON has them: times as ISO 8601 with nanoseconds, maps as objects."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

import pyarrow as pa

BIGGEST = 2**63
EPOCH = date(1970, 1, 1)
EARLIEST, LATEST = (date.min - EPOCH).days, (date.max - EPOCH).days
NANOS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Unit → nanoseconds."""


def plain(column: pa.Array) -> list[Any]:
    """The values of a column, each fit for JSON."""
    if pa.types.is_timestamp(column.type):
        return _moments(column)
    if _holds_moments(column.type):
        return [_deep(scalar) for scalar in column]
    if (quick := _QUICK.get(column.type)) and len(column) and not column.null_count:
        return quick(column)
    return [leaf(value) for value in column.to_pylist(maps_as_pydicts="lossy")]


def wholes(column: pa.Array) -> list[Any]:
    """Integers of 64 bits, none of them null, as they lie in memory.

    That is some twenty times quicker than one scalar after the other.
    """
    values: list[Any] = _cells(column, "q", 8).tolist() if len(column) else []
    return values


def _numbers(column: pa.Array) -> list[Any]:
    values: list[Any] = _cells(column, "d", 8).tolist()
    if all(map(math.isfinite, values)):
        return values
    return [value if math.isfinite(value) else None for value in values]


def _texts(column: pa.Array) -> list[Any]:
    _, places, data = column.buffers()
    ends = memoryview(places).cast("i")[column.offset : column.offset + len(column) + 1].tolist()
    written = b"" if data is None else bytes(memoryview(data)[: ends[-1]])
    if not written.isascii():
        return [written[start:end].decode() for start, end in pairwise(ends)]
    text = written.decode("ascii")
    return [text[start:end] for start, end in pairwise(ends)]


def _cells(column: pa.Array, kind: Literal["q", "d"], width: int) -> Any:
    """The values of a column that has no nulls, as a view; `kind` is a letter of `struct`."""
    start = column.offset * width
    return memoryview(column.buffers()[1])[start : start + len(column) * width].cast(kind)


_QUICK: dict[pa.DataType, Callable[[pa.Array], list[Any]]] = {
    pa.int64(): wholes,
    pa.float64(): _numbers,
    pa.string(): _texts,
}


def _moments(column: pa.Array) -> list[Any]:
    """Nine decimals whatever the unit, so that texts sort as the times do."""
    per_second = 10**9 // NANOS[column.type.unit]
    whole = column.cast(pa.int64())
    counts = whole.to_pylist() if whole.null_count else wholes(whole)
    # Answers about stretches of time have few moments, each of them often.
    texts = {count: moment(count, per_second) for count in {*counts} - {None}}
    return [texts.get(count) for count in counts]


def moment(count: int, per_second: int) -> str:
    seconds, rest = divmod(count, per_second)
    days, second = divmod(seconds, 86_400)
    if not EARLIEST <= days <= LATEST:
        return "infinity" if days > 0 else "-infinity"
    hour, minute = divmod(second // 60, 60)
    decimals = rest * (10**9 // per_second)
    return f"{_day(days)}T{hour:02}:{minute:02}:{second % 60:02}.{decimals:09}Z"


@lru_cache(maxsize=64)
def _day(days: int) -> str:
    return (EPOCH + timedelta(days=days)).isoformat()


def _holds_moments(kind: pa.DataType) -> bool:
    if pa.types.is_timestamp(kind):
        return True
    return any(_holds_moments(kind.field(place).type) for place in range(kind.num_fields))


def _deep(scalar: Any) -> Any:
    """A value inside which there are times: Arrow's own conversion would cut them to µs."""
    if not scalar.is_valid:
        return None
    for kind, read in _DEEP:
        if isinstance(scalar, kind):
            return read(scalar)
    return leaf(scalar.as_py())


_DEEP: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (pa.TimestampScalar, lambda scalar: moment(scalar.value, 10**9 // NANOS[scalar.type.unit])),
    (pa.MapScalar, lambda scalar: {str(_deep(key)): _deep(value) for key, value in _pairs(scalar)}),
    (pa.StructScalar, lambda scalar: {name: _deep(value) for name, value in scalar.items()}),
    (pa.ListScalar, lambda scalar: [_deep(value) for value in scalar.values]),
    (pa.FixedSizeListScalar, lambda scalar: [_deep(value) for value in scalar.values]),
)


def _pairs(scalar: Any) -> Any:
    pairs = scalar.values
    return zip(pairs.field(0), pairs.field(1), strict=True)


def leaf(value: Any) -> Any:
    """Any other value; what JSON has no word for becomes text, what is no number becomes null."""
    return _LEAVES.get(type(value), str)(value)


def _interval(value: Any) -> str:
    months, days, nanoseconds = value
    return f"P{months}M{days}DT{nanoseconds / 10**9:.9f}S"


_LEAVES: dict[type, Callable[[Any], Any]] = {
    type(None): lambda value: value,
    bool: bool,
    str: str,
    int: lambda value: value if -BIGGEST <= value < BIGGEST else str(value),
    float: lambda value: value if math.isfinite(value) else None,
    Decimal: lambda value: leaf(int(value)) if value.as_tuple().exponent == 0 else float(value),
    bytes: bytes.hex,
    list: lambda value: [leaf(each) for each in value],
    tuple: lambda value: [leaf(each) for each in value],
    dict: lambda value: {str(key): leaf(each) for key, each in value.items()},
    pa.MonthDayNano: _interval,
}
