"""What the types of options say of their values: the records inside, and the words they allow."""

from __future__ import annotations

import types
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

_UNIONS = (Union, types.UnionType)


def fields_of(kind: Any) -> dict[str, Any]:
    """Key → type of each field that may be set; what begins with `_` is a record's own memory."""
    return dict(_fields_of(kind))


@cache
def _fields_of(kind: Any) -> tuple[tuple[str, Any], ...]:
    # Reading annotations compiles them, each time: ten thousand alerts would take a minute.
    return tuple(
        (field.encode_name, field.type)
        for field in msgspec.structs.fields(kind)
        if not field.name.startswith("_")
    )


def records_in(hint: Any) -> Iterator[Any]:
    """The records that a value may be: itself, or the items of a list."""
    for each in _alternatives(hint):
        if is_record(each):
            yield each
        elif _is_list(each):
            yield from records_in(get_args(each)[0])


def values_in(hint: Any) -> Any:
    """The type of the values of a table whose keys are names; `None` where it is no such table."""
    for each in _alternatives(hint):
        if get_origin(each) is dict:
            return get_args(each)[1]
    return None


def keys_in(hint: Any) -> Any:
    """The type of the keys of such a table; `None` where it is no such table."""
    for each in _alternatives(hint):
        if get_origin(each) is dict:
            return get_args(each)[0]
    return None


def step_into(hint: Any, step: str | int) -> Any:
    """The type of what a key or an index leads to; `None` where nobody can say."""
    for each in _alternatives(hint):
        if is_record(each):
            return fields_of(each).get(str(step))
        if _is_list(each) and isinstance(step, int):
            return get_args(each)[0]
        if get_origin(each) is dict:
            return get_args(each)[1]
    return None


def words_of(hint: Any) -> tuple[str, ...]:
    """The words that are allowed, where only some are; of a list, as its items."""
    words: list[str] = []
    for each in _alternatives(hint):
        if get_origin(each) is Literal:
            words += map(str, get_args(each))
        elif _is_list(each):
            words += words_of(get_args(each)[0])
    return tuple(words)


def is_record(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _is_list(hint: Any) -> bool:
    return get_origin(hint) in {list, tuple} and bool(get_args(hint))


def _alternatives(hint: Any) -> Iterator[Any]:
    """Of a union, each; what is said about a type beside it is left out."""
    if get_origin(hint) is Annotated:
        yield from _alternatives(get_args(hint)[0])
    elif get_origin(hint) in _UNIONS:
        for each in get_args(hint):
            yield from _alternatives(each)
    else:
        yield hint
