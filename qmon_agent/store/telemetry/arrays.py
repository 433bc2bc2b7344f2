"""Columns of the wire as Arrow arrays, without visiting a row.

Numbers are taken over as they lie; ids are written in hexadecimal by one call per column; words
stay dictionaries. Every reader raises `ValueError` (Arrow's errors are such) for a column that
contradicts itself.
"""

from __future__ import annotations

import sys
from array import array
from binascii import hexlify
from collections.abc import Callable
from functools import lru_cache
from math import copysign
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from qmon_sdk.protocol.columns import MAX_ROWS

TIME = pa.timestamp("ns")
TEXT = pa.string()
WORD = pa.dictionary(pa.uint32(), TEXT)
LABELS = pa.map_(TEXT, TEXT)
BUCKETS = pa.map_(pa.int32(), pa.int64())
TYPES: dict[str, pa.DataType] = {
    "Time": TIME,
    "Duration": pa.int64(),
    "Whole": pa.int64(),
    "Number": pa.float64(),
    "Flag": pa.bool_(),
    "Key": TEXT,
    "Word": WORD,
    "Text": TEXT,
    "Labels": LABELS,
    "Buckets": BUCKETS,
}
"""Role → type; every array of a role has it, so that batches of many frames can be one table."""

LITTLE = sys.byteorder == "little"
MAX_ID_BYTES = 64
MAX_KNOWN_ROWS = 4_096
"""So many equal numbers are kept, in case they come again; of 256 arrays at most."""
_OFTEN_THE_SAME = frozenset({"Whole", "Number"})
ZEROS = pa.py_buffer(bytes(4 * (MAX_ROWS + 1)))


def array_of(column: Any, role: str, rows: int) -> pa.Array:
    """Read one column of a block; raises `ValueError` if it is not `rows` values of its role."""
    try:
        read = _READERS[role](column, rows)
    except (TypeError, IndexError, KeyError, OverflowError, AttributeError) as error:
        raise ValueError(f"a {role} column cannot be read: {error}") from error
    if len(read) != rows:
        raise ValueError(f"a {role} column has {len(read)} rows, not {rows}")
    if _nulls(read):
        raise ValueError(f"a {role} column has rows without a value")
    return read


def constant(value: Any, role: str, rows: int) -> pa.Array:
    """The same value in every row."""
    if rows > MAX_ROWS:
        raise ValueError(f"a block of {rows} rows")
    if isinstance(value, dict):
        return _same_map(value, TYPES[role], rows)
    if role == "Word":
        return _same_word(_text(value), rows)
    if role in _OFTEN_THE_SAME and rows <= MAX_KNOWN_ROWS:
        return _same_number(value, role, rows, sign=copysign(1, value))
    return pa.repeat(_scalar(value, TYPES[role]), rows)


def _same_map(value: dict[Any, Any], kind: pa.MapType, rows: int) -> pa.Array:
    """Most say nothing, of which nothing need be repeated."""
    if value:
        return pa.repeat(_scalar([*value.items()], kind), rows)
    return _empty_map(kind, rows)


@lru_cache(maxsize=256)
def _empty_map(kind: pa.MapType, rows: int) -> pa.Array:
    nothing = pa.array([], pa.struct([kind.key_field, kind.item_field]))
    return pa.Array.from_buffers(kind, rows, [None, ZEROS], children=[nothing])


@lru_cache(maxsize=1024)
def _same_word(value: str, rows: int) -> pa.Array:
    places = pa.Array.from_buffers(pa.uint32(), rows, [None, ZEROS])
    return pa.DictionaryArray.from_arrays(places, pa.array([value], TEXT))


@lru_cache(maxsize=256, typed=True)
def _same_number(value: float, role: str, rows: int, *, sign: float) -> pa.Array:  # noqa: ARG001 - 0.0 == -0.0
    return pa.repeat(_scalar(value, TYPES[role]), rows)


def _scalar(value: Any, kind: pa.DataType) -> pa.Scalar:
    """As `pa.scalar`, which looks for two absent packages on the disk at every call."""
    return pa.array([value], kind)[0]


def _nulls(read: pa.Array) -> int:
    if isinstance(read, pa.DictionaryArray):
        return int(read.null_count + read.dictionary.null_count)
    if isinstance(read, pa.MapArray):
        return int(read.null_count + read.items.null_count)
    return int(read.null_count)


# Numbers


def _numbers(column: Any, role: str, rows: int) -> pa.Array:
    kind = TYPES[role]
    if isinstance(column, bytes):
        return _from_buffer(column, kind, rows)
    if isinstance(column, int) or (role == "Number" and isinstance(column, float)):
        return constant(column, role, rows)
    tag, base, data = column
    if tag != "o":
        raise ValueError(f"numbers written as {tag!r}")
    offsets = _from_buffer(data, pa.int64(), rows)
    return pc.add_checked(offsets, _scalar(base, pa.int64())).view(kind)


def _from_buffer(data: bytes, kind: pa.DataType, rows: int) -> pa.Array:
    if len(data) * 8 != rows * kind.bit_width:
        raise ValueError(f"{len(data)} bytes are not {rows} values of {kind}")
    return pa.Array.from_buffers(kind, rows, [None, pa.py_buffer(data)])


def _flags(column: Any, rows: int) -> pa.Array:
    if isinstance(column, bool):
        return constant(column, "Flag", rows)
    return _from_buffer(bytes(column), pa.uint8(), rows).cast(pa.bool_())


# Texts


def _texts(column: Any, rows: int) -> pa.Array:
    if isinstance(column, str):
        return constant(column, "Key", rows)
    return _TEXT_READERS[column[0]](*column[1:])


def _words(column: Any, rows: int) -> pa.Array:
    if isinstance(column, str):
        return constant(column, "Word", rows)
    if column[0] == "d":
        return _dictionary(*column[1:])
    encoded = _TEXT_READERS[column[0]](*column[1:]).dictionary_encode()
    return encoded.cast(WORD)


def _dictionary(places: bytes, values: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(_u32(places), pa.array(values, TEXT))


def _from_dictionary(places: bytes, values: list[str]) -> pa.Array:
    return pa.array(values, TEXT).take(_u32(places))


def _u32(data: bytes) -> pa.Array:
    return _from_buffer(data, pa.uint32(), len(data) // 4)


def _hex(width: int, data: bytes) -> pa.Array:
    """Binary ids as text: one call for the whole column; an id of zeros is no id."""
    if not 1 <= width <= MAX_ID_BYTES or len(data) % width:
        raise ValueError(f"{len(data)} bytes are no ids of {width}")
    rows, size = len(data) // width, 2 * width
    ends = array("i", range(0, rows * size + 1, size))
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(hexlify(data))]
    ids = pa.Array.from_buffers(TEXT, rows, buffers)
    if bytes(width) not in data:
        return ids
    nothing = _scalar("0" * size, TEXT)
    return pc.if_else(pc.equal(ids, nothing), _scalar("", TEXT), ids)


def _hex_of_numbers(data: bytes) -> pa.Array:
    return _hex(8, _big_endian(data).tobytes())


def _hex_of_halves(high: bytes, low: bytes) -> pa.Array:
    if len(high) != len(low):
        raise ValueError("an id's halves differ in length")
    whole = array("Q", bytes(2 * len(high)))
    whole[0::2] = _big_endian(high)
    whole[1::2] = _big_endian(low)
    return _hex(16, whole.tobytes())


def _big_endian(data: bytes) -> array[int]:
    numbers = array("Q", data)
    if LITTLE:
        numbers.byteswap()
    return numbers


_TEXT_READERS: dict[str, Callable[..., pa.Array]] = {
    "d": _from_dictionary,
    "t": lambda values: pa.array(values, TEXT),
    "x": _hex,
    "x1": _hex_of_numbers,
    "x2": _hex_of_halves,
}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} instead of text")  # noqa: TRY004 - one error type
    return value


# Maps


def _labels(column: Any, rows: int) -> pa.Array:
    if isinstance(column, dict):
        return constant(column, "Labels", rows)
    return _LABEL_READERS[column[0]](*column[1:])


def _labels_from_dictionary(places: bytes, maps: list[dict[str, str]]) -> pa.Array:
    pairs = pa.array([list(each.items()) for each in maps], LABELS)
    return pairs.take(_u32(places))


def _labels_from_pairs(  # noqa: PLR0917 - in the wire's order
    counts: bytes, places: bytes, keys: list[str], values: list[str]
) -> pa.Array:
    texts = pa.array(values, TEXT)
    return _map(_u32(counts), pa.array(keys, TEXT).take(_u32(places)), texts)


_LABEL_READERS: dict[str, Callable[..., pa.Array]] = {
    "d": _labels_from_dictionary,
    "k": _labels_from_pairs,
}


def _buckets(column: Any, rows: int) -> pa.Array:
    if isinstance(column, dict):
        return constant(column, "Buckets", rows)
    tag, counts, indexes, amounts = column
    if tag != "b":
        raise ValueError(f"buckets written as {tag!r}")
    keys = _from_buffer(indexes, pa.int32(), len(indexes) // 4)
    return _map(_u32(counts), keys, _from_buffer(amounts, pa.int64(), len(amounts) // 8))


def _map(counts: pa.Array, keys: pa.Array, values: pa.Array) -> pa.Array:
    ends = pc.cumulative_sum_checked(counts).cast(pa.int32())
    total = ends[-1].as_py() if len(ends) else 0
    if not total == len(keys) == len(values):
        raise ValueError(f"{len(keys)} keys and {len(values)} values where rows say {total}")
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    return pa.MapArray.from_arrays(offsets, keys, values)


_READERS: dict[str, Callable[[Any, int], pa.Array]] = {
    "Time": lambda column, rows: _numbers(column, "Time", rows),
    "Duration": lambda column, rows: _numbers(column, "Duration", rows),
    "Whole": lambda column, rows: _numbers(column, "Whole", rows),
    "Number": lambda column, rows: _numbers(column, "Number", rows),
    "Flag": _flags,
    "Key": _texts,
    "Word": _words,
    "Text": _texts,
    "Labels": _labels,
    "Buckets": _buckets,
}
