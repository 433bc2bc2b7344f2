"""The SQL of a question with its parameters in it, in the dialect of an engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.resources import files

from qmon_agent.domain.errors import StoreError

from .parameters import At, Value
from .questions import RAW, Definition

NS = 10**9
TIER = "{tier}"
"""What stands for the tier in a text that is asked of rollups."""
_PLACE = re.compile(r"\$(\w+)")


def statement(name: str, asked: Definition, *, dialect: str, tier: str = RAW) -> str:
    """What the engine is asked, with every value as a literal: it may be copied and run."""
    literal, values = LITERALS[dialect], asked.values()
    text = text_of(name, type(asked), asked.text(), dialect=dialect, tier=tier)
    return _PLACE.sub(lambda found: literal(values[found[1]]), text)


def text_of(name: str, kind: type[Definition], text: str, *, dialect: str, tier: str = RAW) -> str:
    """One of the texts of a question, for rows or a tier of rollups.

    Raises StoreError where there is none for the engine.
    """
    if dialect == "duckdb":
        found = (kind.texts if tier == RAW else kind.rolled)[text]
    else:
        file = f"{name}.{text}.sql" if tier == RAW else f"{name}.{text}.rolled.sql"
        try:
            found = (files(f"{__package__}.questions") / dialect / file).read_text("utf-8")
        except OSError:
            raise StoreError(f"the question {name} has no text {text!r} for {dialect}") from None
    return found.strip().replace(TIER, tier)


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
