"""The SQL of a question with its parameters in it, in the dialect of an engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.resources import files

from qmon_agent.domain.errors import StoreError

from .parameters import At, Value
from .questions import RAW, Definition

NS = 10**9
_PLACE = re.compile(r"\$(\w+)")


def statement(name: str, asked: Definition, *, dialect: str, tier: str = RAW) -> str:
    """What the engine is asked, with every value as a literal: it may be copied and run."""
    literal, values = LITERALS[dialect], asked.values()
    which = asked.text() if tier == RAW else f"{asked.text()}.{tier}"
    text = text_of(name, type(asked), which, dialect=dialect)
    return _PLACE.sub(lambda found: literal(values[found[1]]), text)


def text_of(name: str, kind: type[Definition], text: str, *, dialect: str) -> str:
    """One of the texts of a question; raises StoreError where there is none for the engine."""
    if dialect == "duckdb":
        return {**kind.texts, **kind.rolled}[text].strip()
    place = files(f"{__package__}.questions") / dialect / f"{name}.{text}.sql"
    try:
        return place.read_text("utf-8").strip()
    except OSError:
        raise StoreError(f"the question {name} has no text {text!r} for {dialect}") from None


def _duckdb(value: Value) -> str:
    if isinstance(value, At):
        return f"make_timestamp_ns({int(value)})"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def _clickhouse(value: Value) -> str:
    if isinstance(value, At):
        return f"fromUnixTimestamp64Nano(toInt64({int(value)}), 'UTC')"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return repr(value)


LITERALS: Mapping[str, Callable[[Value], str]] = {"duckdb": _duckdb, "clickhouse": _clickhouse}
"""Dialect → how it writes a value."""
