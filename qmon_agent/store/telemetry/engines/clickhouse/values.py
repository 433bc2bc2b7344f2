"""Values of an answer as JSON has them, by ClickHouse's type: the same forms as DuckDB's answers.

Times are asked for as whole numbers, which keep their nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from qmon_agent.store.telemetry.plain import leaf, moment

AS_NUMBERS = {"DateTime*": "int", "Date*": "int"}
EPOCH = date(1970, 1, 1)
Reader = Callable[[Any], Any]


def reader_of(kind: Any) -> Reader:
    """What makes a value of this type (one of clickhouse-connect's) plain."""
    made = _MAKERS.get(type(kind).__name__)
    return _or_nothing(made(kind)) if made else leaf


def _or_nothing(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


def _seconds(_: Any) -> Reader:
    return lambda count: moment(count, 1)


def _ticks(kind: Any) -> Reader:
    per_second = 10**kind.scale
    return lambda count: moment(count, per_second)


def _day(_: Any) -> Reader:
    return lambda days: (EPOCH + timedelta(days=days)).isoformat()


def _array(kind: Any) -> Reader:
    read = reader_of(kind.element_type)
    return lambda values: [read(value) for value in values]


def _map(kind: Any) -> Reader:
    key_of, value_of = reader_of(kind.key_type), reader_of(kind.value_type)
    return lambda pairs: {str(key_of(key)): value_of(value) for key, value in pairs.items()}


def _tuple(kind: Any) -> Reader:
    readers = [reader_of(each) for each in kind.element_types]
    if not kind.element_names:
        return lambda values: [read(value) for read, value in zip(readers, values, strict=True)]
    by_name = dict(zip(kind.element_names, readers, strict=True))
    return lambda values: {name: by_name[name](value) for name, value in values.items()}


_MAKERS: dict[str, Callable[[Any], Reader]] = {
    "DateTime": _seconds,
    "DateTime64": _ticks,
    "Date": _day,
    "Date32": _day,
    "Array": _array,
    "Map": _map,
    "Tuple": _tuple,
}
