"""How a column is read, by the role of its field; `columns` has the table of what may come.

A reader takes the column and the number of rows, gives a list, and raises whatever comes to hand on
bytes that contradict themselves: `columns.decode_column` makes one error of all of them.
"""

from __future__ import annotations

from itertools import accumulate, islice

from .arrays import F64, I32, I64, U32, U64, unpacked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


def _read_numbers(code: str, types: tuple[type, ...]) -> Callable[[Any, int], list[Any]]:
    same = types[0]

    def read(column: Any, rows: int) -> list[Any]:
        if isinstance(column, bytes):
            return unpacked(code, column).tolist()
        if isinstance(column, types):
            return [same(column)] * rows
        tag, base, data = column
        _expect(tag, "o")
        return [base + number for number in unpacked(I64, data)]

    return read


def _numbers_at(code: str, types: tuple[type, ...]) -> Callable[[Any, int, Sequence[int]], Any]:
    same = types[0]

    def read(column: Any, rows: int, places: Sequence[int]) -> list[Any]:
        if isinstance(column, types):
            return [same(column)] * len(places)
        if isinstance(column, bytes):
            numbers = _all(unpacked(code, column), rows)
            return [numbers[place] for place in places]
        tag, base, data = column
        _expect(tag, "o")
        numbers = _all(unpacked(I64, data), rows)
        return [base + numbers[place] for place in places]

    return read


def _read_flags(column: Any, rows: int) -> list[bool]:
    return [column] * rows if isinstance(column, bool) else [bool(value) for value in bytes(column)]


def _read_texts(column: Any, rows: int) -> list[str]:
    if isinstance(column, str):
        return [column] * rows
    return _TEXT_READERS[column[0]](*column[1:])


def _from_words(places: bytes, values: list[str]) -> list[str]:
    return _from_dictionary(places, _texts(values))


def _from_dictionary(places: bytes, values: list[Any]) -> list[Any]:
    return [values[place] for place in unpacked(U32, places)]


def _from_binary(width: int, data: bytes) -> list[str]:
    if not 1 <= width <= 64:  # noqa: PLR2004 - longer than any id there is
        message = f"ids of {width} bytes"
        raise ValueError(message)
    nothing = bytes(width)
    ids = (data[start : start + width] for start in range(0, len(data), width))
    return ["" if one == nothing else one.hex() for one in ids]


def _from_halves(high: bytes, low: bytes) -> list[str]:
    pairs = zip(unpacked(U64, high), unpacked(U64, low), strict=True)
    return [f"{upper:016x}{lower:016x}" if upper or lower else "" for upper, lower in pairs]


_STR = frozenset((str,))


def _texts(values: list[Any]) -> list[str]:
    """Look at the types of all at once: one by one costs more than all the rest of reading."""
    is_plain = type(values) is list and {*map(type, values)} <= _STR
    return values if is_plain else [*map(_text, values)]


_TEXT_READERS: dict[str, Callable[..., list[str]]] = {
    "d": _from_words,
    "t": _texts,
    "x": _from_binary,
    "x1": lambda data: [f"{one:016x}" if one else "" for one in unpacked(U64, data)],
    "x2": _from_halves,
}


def _texts_at(column: Any, rows: int, places: Sequence[int]) -> list[str]:
    if isinstance(column, str):
        return [column] * len(places)
    if column[0] != "d":
        texts = _all(_read_texts(column, rows), rows)
        return [texts[place] for place in places]
    words, which = _texts(column[2]), _all(unpacked(U32, column[1]), rows)
    return [words[which[place]] for place in places]


def _read_labels(column: Any, rows: int) -> list[dict[str, str]]:
    if isinstance(column, dict):
        return [_labels(column)] * rows
    return _LABEL_READERS[column[0]](*column[1:])


def _from_maps(places: bytes, values: list[Any]) -> list[dict[str, str]]:
    return _from_dictionary(places, [*map(_labels, values)])


def _from_pairs(counts: bytes, *flat: Any) -> list[Any]:
    places, keys, values = flat
    of_each = unpacked(U32, counts)
    if sum(of_each) > len(values):
        message = "fewer pairs than rows say"
        raise ValueError(message)
    pairs = zip(_from_dictionary(places, _texts(keys)), _texts(values), strict=True)
    return [dict(islice(pairs, count)) for count in of_each]


def labels_at(column: Any, rows: int, places: Sequence[int]) -> list[dict[str, str]]:
    """Read the labels of some rows alone: of reading points, most is reading their labels."""
    if isinstance(column, dict) or column[0] != "k":
        labels = _read_labels(column, rows)
        return [labels[place] for place in places]
    counts, at, keys, values = column[1:]
    of_each, names, texts = unpacked(U32, counts), unpacked(U32, at), _texts(values)
    ends = [*accumulate(of_each, initial=0)]
    if len(ends) != rows + 1 or len(names) != len(texts) or ends[-1] > len(texts):
        message = "pairs are not what rows say"
        raise ValueError(message)
    parts = [slice(ends[place], ends[place + 1]) for place in places]
    key = _texts(keys).__getitem__
    return [dict(zip(map(key, names[part]), texts[part], strict=True)) for part in parts]


_LABEL_READERS: dict[str, Callable[..., list[dict[str, str]]]] = {
    "d": _from_maps,
    "k": _from_pairs,
}


def _read_buckets(column: Any, rows: int) -> list[dict[int, int]]:
    return buckets_at(column, rows, range(rows))


def buckets_at(column: Any, rows: int, places: Sequence[int]) -> list[dict[int, int]]:
    """Read the buckets of some rows alone; most rows have none."""
    if isinstance(column, dict):
        return [{int(index): int(count) for index, count in column.items()}] * len(places)
    tag, counts, indexes, amounts = column
    _expect(tag, "b")
    of_each, index, amount = unpacked(U32, counts), unpacked(I32, indexes), unpacked(I64, amounts)
    ends = [*accumulate(of_each, initial=0)]
    if len(ends) != rows + 1 or len(index) != len(amount) or ends[-1] > len(index):
        message = "buckets are not what rows say"
        raise ValueError(message)
    spans = [(ends[place], ends[place + 1]) for place in places]
    return [
        dict(zip(index[start:end], amount[start:end], strict=True)) if end > start else {}
        for start, end in spans
    ]


def _all(values: Any, rows: int) -> Any:
    if len(values) != rows:
        message = f"{len(values)} rows, not {rows}"
        raise ValueError(message)
    return values


def _expect(tag: Any, wanted: str) -> None:
    if tag != wanted:
        message = f"written as {tag!r}"
        raise ValueError(message)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        message = f"{type(value).__name__} instead of text"
        raise TypeError(message)
    return value


def _labels(value: Any) -> dict[str, str]:
    return {_text(key): _text(text) for key, text in value.items()}


READERS: dict[str, Callable[[Any, int], list[Any]]] = {
    "Time": _read_numbers(I64, (int,)),
    "Duration": _read_numbers(I64, (int,)),
    "Whole": _read_numbers(I64, (int,)),
    "Number": _read_numbers(F64, (float, int)),
    "Flag": _read_flags,
    "Key": _read_texts,
    "Word": _read_texts,
    "Text": _read_texts,
    "Labels": _read_labels,
    "Buckets": _read_buckets,
}
READERS_AT: dict[str, Callable[[Any, int, Sequence[int]], list[Any]]] = {
    "Time": _numbers_at(I64, (int,)),
    "Duration": _numbers_at(I64, (int,)),
    "Whole": _numbers_at(I64, (int,)),
    "Number": _numbers_at(F64, (float, int)),
    "Key": _texts_at,
    "Word": _texts_at,
    "Text": _texts_at,
    "Labels": labels_at,
    "Buckets": buckets_at,
}
