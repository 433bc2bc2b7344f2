"""What a table says as a number for each day: the same in both engines, in whatever order rows lie.

Each row is written as a text that no other row has, bits of numbers included; the last eight bytes
of its MD5 are added up. A row that is missing, doubled or changed changes the sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import msgspec

from .schema import RESOURCES, Table, TableColumn

DAY_NS = 86_400 * 10**9
EPOCH = date(1970, 1, 1)
MASK = (1 << 64) - 1


class Sum(msgspec.Struct, frozen=True):
    """Of the rows of a day: how many there are, and what they add up to."""

    rows: int
    checksum: str
    """Sixteen hexadecimal digits."""


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How an engine writes a row as a text, and adds up what the texts are."""

    nanoseconds: str
    divided: str
    """Of whole numbers."""
    hashed: str
    quote: str
    forms: Mapping[str, str]
    """Role → what writes a column of it."""


_DUCK_TEXT = "strlen({0}) || ':' || {0}"
_CLICK_TEXT = "toString(length({0})) || ':' || {0}"
DUCKDB = Dialect(
    nanoseconds="epoch_ns({0})",
    divided="({0}) // ({1})",
    hashed="sum(md5_number_lower({0}))",
    quote='"',
    forms={
        "Time": "epoch_ns({0})::VARCHAR",
        "Duration": "{0}::VARCHAR",
        "Whole": "{0}::VARCHAR",
        "Number": "{0}::BIT::UBIGINT::VARCHAR",
        "Flag": "{0}::INTEGER::VARCHAR",
        "Key": _DUCK_TEXT,
        "Word": _DUCK_TEXT,
        "Text": _DUCK_TEXT,
        "Labels": "array_to_string([strlen(e.key) || ':' || e.key || strlen(e.value) || ':' "
        "|| e.value for e in map_entries({0})], ',')",
        "Buckets": "array_to_string([e.key || ':' || e.value for e in map_entries({0})], ',')",
    },
)
CLICKHOUSE = Dialect(
    nanoseconds="toUnixTimestamp64Nano({0})",
    divided="intDiv({0}, {1})",
    hashed="sum(reinterpretAsUInt64(substring(MD5({0}), 9, 8)))",
    quote="`",
    forms={
        "Time": "toString(toUnixTimestamp64Nano({0}))",
        "Duration": "toString({0})",
        "Whole": "toString({0})",
        "Number": "toString(reinterpretAsUInt64({0}))",
        "Flag": "toString(toUInt8({0}))",
        "Key": _CLICK_TEXT,
        "Word": _CLICK_TEXT,
        "Text": _CLICK_TEXT,
        "Labels": "arrayStringConcat(arrayMap((k, v) -> toString(length(k)) || ':' || k "
        "|| toString(length(v)) || ':' || v, mapKeys({0}), mapValues({0})), ',')",
        "Buckets": "arrayStringConcat(arrayMap((k, v) -> toString(k) || ':' || toString(v), "
        "mapKeys({0}), mapValues({0})), ',')",
    },
)


def asked(table: Table, source: str, dialect: Dialect) -> str:
    """The question for rows and sum of each day; of who spoke, for each process's last word."""
    columns = table.columns
    if table is RESOURCES:
        columns = tuple(each for each in columns if each.name in {"time", "process"})
        source = f"(SELECT process, max(time) AS time FROM {source} GROUP BY process) AS x"  # noqa: S608 - our names
    row = " || ',' || ".join(_form(column, dialect) for column in columns)
    sums = f"count(*) AS n, {dialect.hashed.format(row)} AS total"
    return f"SELECT {_day(dialect)} AS day, {sums} FROM {source} GROUP BY 1"  # noqa: S608 - our names


def read(rows: Iterable[tuple[Any, ...]]) -> dict[str, Sum]:
    """What was answered, by day as people write it."""
    return {
        str(EPOCH + timedelta(days=int(day))): Sum(int(n), f"{int(total) & MASK:016x}")
        for day, n, total in sorted(rows)
    }


def _form(column: TableColumn, dialect: Dialect) -> str:
    name = f"{dialect.quote}{column.name}{dialect.quote}"
    return f"({dialect.forms[column.role].format(name)})"


def _day(dialect: Dialect) -> str:
    """Days since 1970, also before it: neither engine divides whole numbers downwards."""
    at = dialect.nanoseconds.format("time")
    within = f"(({at} % {DAY_NS}) + {DAY_NS}) % {DAY_NS}"
    return dialect.divided.format(f"{at} - {within}", DAY_NS)
