"""A question by its name: what the engine is asked, and the answer with what belongs to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

import msgspec
from msgspec import Meta

from qmon_agent.domain.errors import QueryError, UnknownPluginError, UnknownQuestionError

from .answers import Freshness, QueryResult
from .layouts import ROWS, Layout
from .manifest import Within
from .parameters import Parameter, parameters_of, read, role_of, written
from .questions import QUESTIONS, Definition
from .statements import statement

EXPLAIN = "EXPLAIN "


class Store(Protocol):
    """Whom a question is put to."""

    @property
    def dialect(self) -> str: ...

    def freshness(self) -> Freshness: ...

    async def remembered_query(
        self,
        sql: str,
        *,
        within: Within | None,
        limit: int | None,
        timeout_s: float | None,
        layout: Layout,
    ) -> QueryResult: ...


class Manner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a question is to be answered, whatever it is: these names are no parameters of any."""

    limit: Annotated[int, Meta(ge=1, le=1 << 31)] | None = None
    timeout_s: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    explain: bool = False
    layout: Literal["rows", "series"] = "rows"


_MANNERS = {
    "limit": "a whole number from 1",
    "timeout_s": "a number of seconds, more than 0 and at most 86400",
    "explain": "true or false",
    "layout": "rows or series",
}
"""What each may be, in words."""
USUAL = Manner()


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question with its parameters read, and its moments fixed."""

    name: str
    definition: Definition
    sql: str
    tier: str
    """`raw`, or the stretch of the rollups that it is read from: `1m`, `1h` or `1d`."""
    manner: Manner = USUAL

    @property
    def statement(self) -> str:
        """What the engine is to answer."""
        return EXPLAIN + self.sql if self.manner.explain else self.sql

    @property
    def layout(self) -> Layout:
        """How its rows are to be written; a plan has nothing but rows."""
        series = self.definition.series
        in_series = self.manner.layout == "series" and not self.manner.explain
        return Layout(by=series.by) if in_series and series is not None else ROWS


async def answer_by(
    store: Store, name: str, said: Mapping[str, str], *, now: int
) -> dict[str, Any]:
    """Answer a question put in words, its manner among them; raises what `ask_for` does."""
    manner, said = manner_of(said)
    asked = ask_for(name, said, now=now, manner=manner, dialect=store.dialect)
    fresh = store.freshness()
    result = await store.remembered_query(
        asked.statement,
        within=asked.definition.within(),
        limit=manner.limit,
        timeout_s=manner.timeout_s,
        layout=asked.layout,
    )
    told = {
        "columns": [column.name for column in result.columns],
        "rows": result.records() if manner.explain else result.told(),
        "truncated": result.truncated,
    }
    return answer_to(asked, told, fresh=fresh)


def manner_of(said: Mapping[str, str]) -> tuple[Manner, dict[str, str]]:
    """What is said of the manner, and the rest; raises QueryError that names the field."""
    names = Manner.__struct_fields__
    rest = {name: text for name, text in said.items() if name not in names}
    wanted = {name: text for name, text in said.items() if name in names}
    try:
        return msgspec.convert(wanted, Manner, strict=False), rest
    except msgspec.ValidationError as problem:
        name = str(problem).rpartition(" - at `$.")[2].rstrip("`")
        reason = f"has to be {_MANNERS[name]}, not {wanted[name]!r}"
        raise QueryError.about(name, reason) from None


def ask_for(
    name: str,
    said: Mapping[str, str],
    *,
    now: int,
    manner: Manner = USUAL,
    dialect: str = "duckdb",
) -> Asked:
    """Read a question; raises UnknownQuestionError, or QueryError that names the parameter."""
    kind = _found(name)
    if manner.layout == "series" and kind.series is None:
        raise QueryError.about("layout", f"{name} is not about series: it has rows only")
    definition = read(kind, said, now=now)
    tier = definition.tier()
    sql = statement(name, definition, dialect=dialect, tier=tier)
    return Asked(name=name, definition=definition, sql=sql, tier=tier, manner=manner)


def _found(name: str) -> type[Definition]:
    try:
        return QUESTIONS.find(name)
    except UnknownPluginError as unknown:
        raise UnknownQuestionError(name, unknown.nearest, known=QUESTIONS.names()) from None


def answer_to(
    asked: Asked, result: Mapping[str, Any], *, fresh: Freshness | None = None
) -> dict[str, Any]:
    """The answer as JSON: rows and units, and what they were made of.

    `result` has `columns`, `rows` as objects, or written as they were to be, and whether they were
    `truncated`; of an explanation the plan is told instead.
    """
    definition = asked.definition
    about = {
        "version": 1,
        "question": asked.name,
        "parameters": _written(definition),
        "tier": asked.tier,
        "precision": definition.precision.get(definition.text(), "exact"),
        "sql": asked.sql,
        "freshness": fresh and msgspec.to_builtins(fresh),
    }
    if asked.manner.explain:
        return {**about, "plan": _plan(result["columns"], result["rows"])}
    columns = [{"name": name, "unit": definition.units.get(name, "")} for name in result["columns"]]
    rows = result["rows"]
    return {
        **about,
        "columns": columns,
        asked.manner.layout: rows if isinstance(rows, msgspec.Raw) else asked.layout.of(rows),
        "truncated": result["truncated"],
    }


def all_questions() -> Iterator[dict[str, Any]]:
    """What may be asked: each question with its parameters and its columns with a unit."""
    for name in QUESTIONS.names():
        kind = QUESTIONS.find(name)
        yield {
            "name": name,
            "about": (kind.__doc__ or "").partition("\n")[0],
            "parameters": [_shown(each) for each in parameters_of(kind)],
            "units": dict(kind.units),
            "series": kind.series and msgspec.to_builtins(kind.series),
        }


def _written(definition: Definition) -> dict[str, str]:
    """Each parameter as it was taken, its moments fixed."""
    return {
        field.encode_name: written(getattr(definition, field.name), role_of(field.type))
        for field in msgspec.structs.fields(type(definition))
    }


def _shown(parameter: Parameter) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(parameter)
    return {name: value for name, value in shown.items() if value != ""} | {
        "required": parameter.default is None
    }


def _plan(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """The engine's words: they stand in the last column."""
    return "\n".join(str(row[columns[-1]]) for row in rows)
