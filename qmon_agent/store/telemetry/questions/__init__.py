"""Questions: one per file, asked by name. What a question is, and the registry.

A file holds one class whose fields are the parameters, with the SQL in DuckDB's dialect. What
ClickHouse is asked is derived from it and lies beside, as `clickhouse/NAME.TEXT.sql`, and
`NAME.TEXT.rolled.sql` for what is asked of rollups, whatever the tier.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from qmon_agent.domain import tiers
from qmon_agent.domain.plugins import Registry
from qmon_agent.store.telemetry.manifest import Within
from qmon_agent.store.telemetry.parameters import (
    HOUR,
    MINUTE,
    At,
    Length,
    Moment,
    Value,
    values_of,
)

RAW = "raw"


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Which columns of an answer make lines: what tells them apart, and what is drawn over time."""

    by: tuple[str, ...]
    over: str = "start"
    of: str


class Definition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every question says of itself; its docstring's first line is what lists show."""

    texts: ClassVar[Mapping[str, str]]
    """Name → SQL in DuckDB's dialect; `$name` stands for a parameter."""
    units: ClassVar[Mapping[str, str]]
    """Column → unit; what has none is a name, and is not listed."""
    series: ClassVar[Series | None] = None
    rolled: ClassVar[Mapping[str, str]] = {}
    """Name of a text → SQL that answers the same from rollups; `{tier}` stands for which."""
    precision: ClassVar[Mapping[str, str]] = {}
    """Name of a text → how near its numbers are; exact where nothing is said."""

    def text(self) -> str:
        """The name of the text that answers, for parameters whose moments are fixed."""
        return next(iter(self.texts))

    def tier(self) -> str:
        """Which rows answer: `raw`, or the coarsest tier of rollups that gives the same answer."""
        return RAW

    def values(self) -> dict[str, Value]:
        """What stands for each `$name`, for parameters whose moments are fixed."""
        return values_of(self)

    def within(self) -> Within | None:
        """Between which times all lies that is read of any table; nothing where all is read."""
        values = self.values()
        since, until = values.get("since"), values.get("until")
        if isinstance(since, At) and isinstance(until, At):
            return int(since), int(until)
        return None


class Windowed(Definition, frozen=True, kw_only=True):
    """A question about a stretch of time, of one service or of all."""

    since: Annotated[Moment, Meta(description="From when on, itself included.")] = -HOUR
    until: Annotated[Moment, Meta(description="Until when, itself not included.")] = 0
    service: Annotated[str, Meta(description="Of one service only.")] = ""


class Stepped(Windowed, frozen=True, kw_only=True):
    """A question by stretches of time, which rollups may answer."""

    step: Annotated[Length, Meta(description="How long each stretch is.")] = MINUTE

    about: ClassVar[tiers.Asked]
    """What is wanted of which table, whatever the range."""

    def tier(self) -> str:
        asked = msgspec.structs.replace(
            self.about, start=self.since, end=self.until, step=self.step
        )
        table = tiers.choose(asked).table
        return RAW if table == asked.table else table.rpartition("_")[2]


QUESTIONS: Registry[Definition] = Registry(__name__, role="Question")
