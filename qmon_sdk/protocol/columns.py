"""A block: many signals of one kind, column by column, each saying how it is written.

How a column may be written, by the role of its field (`n` rows; numbers are little-endian):

| role                  | every row the same | else, one of |
|---|---|---|
| time, duration, whole | an integer | bytes of n × i64 · `["o", base, bytes]`, base added to each |
| number                | a float    | bytes of n × f64 |
| flag                  | a boolean  | bytes of n × u8 |
| key, word, text       | a string   | `["d", n × u32, [text, …]]` places in a list |
|                       |            | `["x", width, bytes]` ids, in hex; all zero = "" |
|                       |            | `["x1", n × u64]`, `["x2", n × u64, n × u64]` the same |
|                       |            | `["t", [text, …]]` |
| labels                | a map      | `["d", n × u32, [map, …]]` |
|                       |            | `["k", n × u32, u32 keys, [key, …], [value, …]]` |
| buckets               | a map      | `["b", n × u32, i32 indexes, i64 counts]` |

In `k` and `b` the first numbers say how many pairs each row has; the high half of an `x2` id comes
first.

The store reads the bytes as they are; nothing between the recorder and the table visits a row.
"""

from __future__ import annotations

from qmon_sdk.accelerator import speedups

from .arrays import F64, I32, I64, U32, packed
from .errors import FrameError
from .readers import READERS, READERS_AT
from .records import Record
from .signals import FIELDS, SIGNALS, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .signals import Signal

MAX_ROWS = 1 << 17
"""Rows one block may hold."""

_CONTRADICTIONS = (ValueError, TypeError, IndexError, KeyError, OverflowError)
"""What a reader raises on bytes that cannot be."""


class Block(Record):
    """Rows of one kind; columns of newer writers, and kinds we do not know, stay as they are."""

    kind: str = ""
    rows: int = 0
    columns: tuple[Any, ...] = ()


# --- writing ---------------------------------------------------------------------------------


def block_of(kind: str, signals: Sequence[Signal]) -> Block:
    """Turn signals of one kind into a block; raises `ValueError` if they are too many."""
    if len(signals) > MAX_ROWS:
        message = f"a block holds {MAX_ROWS} rows at most, not {len(signals)}"
        raise ValueError(message)
    columns = zip(*signals, strict=True) if signals else ((),) * len(FIELDS[kind])
    written = (
        WRITERS[field.role](column) for field, column in zip(FIELDS[kind], columns, strict=True)
    )
    return Block(kind=kind, rows=len(signals), columns=tuple(written))


def blocks_of(signals: Sequence[Signal]) -> tuple[Block, ...]:
    """Turn signals of any kinds into one block per kind, in the order the kinds first appear."""
    by_kind: dict[str, list[Signal]] = {}
    for signal in signals:
        by_kind.setdefault(kind_of(signal), []).append(signal)
    return tuple(block_of(kind, group) for kind, group in by_kind.items())


def words(values: Sequence[str]) -> Any:
    """Write texts: one if they are all the same, else as places in a dictionary."""
    if not values or values.count(values[0]) == len(values):
        return values[0] if values else ""
    distinct = dict.fromkeys(values)
    if len(distinct) * 2 > len(values):
        return ["t", list(values)]
    return ["d", _places(distinct, values), list(distinct)]


def labels(values: Sequence[dict[str, str]]) -> Any:
    """Write attribute maps: one if they are all the same, else flattened."""
    first = values[0] if values else {}
    if all(value is first or value == first for value in values):
        return first
    keys = dict.fromkeys(key for value in values for key in value)
    return [
        "k",
        packed(U32, map(len, values)),
        _places(keys, [key for value in values for key in value]),
        list(keys),
        [text for value in values for text in value.values()],
    ]


def _places(distinct: dict[str, Any], values: Sequence[str]) -> bytes:
    index = {value: place for place, value in enumerate(distinct)}
    return packed(U32, map(index.__getitem__, values))


def _buckets(values: Sequence[dict[int, int]]) -> Any:
    first = values[0] if values else {}
    if all(value == first for value in values):
        return first
    return [
        "b",
        packed(U32, map(len, values)),
        packed(I32, [index for value in values for index in value]),
        packed(I64, [count for value in values for count in value.values()]),
    ]


def _numbers(code: str, same: Callable[[Any], Any]) -> Callable[[Sequence[Any]], Any]:
    def write(values: Sequence[Any]) -> Any:
        if not values or values.count(values[0]) == len(values):
            return same(values[0]) if values else same(0)
        return packed(code, values)

    return write


PURE_WRITERS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "Time": _numbers(I64, int),
    "Duration": _numbers(I64, int),
    "Whole": _numbers(I64, int),
    "Number": _numbers(F64, float),
    "Flag": _numbers("B", bool),
    "Key": words,
    "Word": words,
    "Text": words,
    "Labels": labels,
    "Buckets": _buckets,
}
_IN_C = {
    "Time": "wholes",
    "Duration": "wholes",
    "Whole": "wholes",
    "Number": "reals",
    "Flag": "flags",
    "Key": "words",
    "Word": "words",
    "Text": "words",
    "Labels": "labels",
    "Buckets": "buckets",
}


def accelerated(module: Any) -> dict[str, Callable[[Sequence[Any]], Any]]:
    """Write columns in C; those that hold other than plain values are left to the pure writers."""

    def either(fast: Callable[[Any], Any], pure: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def write(values: Sequence[Any]) -> Any:
            written = fast(values)
            return pure(values) if written is NotImplemented else written

        return write

    return {role: either(getattr(module, _IN_C[role]), pure) for role, pure in PURE_WRITERS.items()}


WRITERS = PURE_WRITERS if speedups is None else accelerated(speedups)


# --- reading ---------------------------------------------------------------------------------


def rows_of(block: Block) -> list[Signal]:
    """Read a block back into signals; missing trailing columns take their defaults.

    Raises `FrameError` for a kind that is not ours or a column that contradicts itself.
    """
    if block.kind not in SIGNALS:
        message = f"no signal is called {block.kind!r}"
        raise FrameError(message)
    fields, signal = FIELDS[block.kind], SIGNALS[block.kind]
    columns = [
        decode_column(column, field.role, block.rows)
        for field, column in zip(fields, block.columns, strict=False)
    ]
    columns += [[field.default] * block.rows for field in fields[len(columns) :]]
    made: Callable[..., Signal] = tuple.__new__  # as it is: `signal(**...)` would name each value
    return [made(signal, row) for row in zip(*columns, strict=True)]


def rows_at(block: Block, places: Sequence[int]) -> list[Signal]:
    """Read some of a block's rows back, as `rows_of` reads all of them."""
    fields, signal = FIELDS[block.kind], SIGNALS[block.kind]
    columns = [
        _values_at(column, field.role, block.rows, places=places)
        for field, column in zip(fields, block.columns, strict=False)
    ]
    columns += [[field.default] * len(places) for field in fields[len(columns) :]]
    made: Callable[..., Signal] = tuple.__new__
    return [made(signal, row) for row in zip(*columns, strict=True)]


def _values_at(column: Any, role: str, rows: int, *, places: Sequence[int]) -> list[Any]:
    if role not in READERS_AT:
        values = decode_column(column, role, rows)
        return [values[place] for place in places]
    try:
        return READERS_AT[role](column, rows, places)
    except _CONTRADICTIONS as error:
        message = f"a {role} column cannot be read: {error}"
        raise FrameError(message) from error


def decode_column(column: Any, role: str, rows: int) -> list[Any]:
    """Read one column into a list of `rows` values; raises `FrameError` if it is not that."""
    try:
        values = READERS[role](column, rows)
    except _CONTRADICTIONS as error:
        message = f"a {role} column cannot be read: {error}"
        raise FrameError(message) from error
    if len(values) != rows:
        message = f"a {role} column has {len(values)} rows, not {rows}"
        raise FrameError(message)
    return values
