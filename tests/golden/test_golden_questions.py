"""What ClickHouse is asked is what DuckDB is asked, derived; `QMON_GOLDEN=write` writes it anew.

sqlglot translates; where it does not know, or means something else, a table here says so: see
decision 0021.
"""

import os
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from qmon_agent.store.telemetry import questions
from qmon_agent.store.telemetry.questions import QUESTIONS, RAW
from qmon_agent.store.telemetry.statements import TIER, text_of

FOLDER = Path(questions.__file__).parent / "clickhouse"
TEXTS = [
    *((name, text, RAW) for name in QUESTIONS.names() for text in QUESTIONS.find(name).texts),
    *((name, text, "1m") for name in QUESTIONS.names() for text in QUESTIONS.find(name).rolled),
]

CONVERSIONS = {"BIGINT": "toInt64", "INT": "toInt32"}
ENTRIES = exp.Literal.string("Array(Tuple(key Int32, value Int64))")
RENAMED = {
    "map_entries": lambda node: exp.Anonymous(
        this="CAST", expressions=[*node.expressions, ENTRIES]
    ),
    "isfinite": lambda node: exp.func("isFinite", *node.expressions),
    "epoch_ns": lambda node: exp.func("toUnixTimestamp64Nano", *node.expressions),
    "make_timestamp_ns": lambda node: exp.func(
        "fromUnixTimestamp64Nano", *node.expressions, exp.Literal.string("UTC")
    ),
}
INSTEAD = {
    exp.PercentileCont: lambda node: exp.ParameterizedAgg(
        this="quantilesExactInclusive", expressions=node.expression.expressions, params=[node.this]
    ),
    exp.IntDiv: lambda node: exp.func("intDiv", node.this, node.expression),
    exp.Lower: lambda node: exp.func("lowerUTF8", node.this),
    exp.Placeholder: lambda node: exp.Var(this=f"${node.this}"),
    exp.Cast: lambda node: exp.func(CONVERSIONS[node.to.this.name], node.this),
    exp.Anonymous: lambda node: RENAMED.get(str(node.this), lambda _: node)(node),
}


@pytest.mark.parametrize(("name", "text", "tier"), TEXTS)
def test_clickhouse_is_asked_the_same(name, text, tier):
    kind = QUESTIONS.find(name)
    derived = clickhouse_text(text_of(name, kind, text, dialect="duckdb", tier=tier))
    if os.environ.get("QMON_GOLDEN") == "write":
        file_of(name, text, tier).write_text(derived.replace(f"_{tier}_parts", f"_{TIER}_parts"))

    assert derived.strip() == text_of(name, kind, text, dialect="clickhouse", tier=tier)


def test_no_text_is_of_a_question_that_is_gone():
    assert {file_of(*each) for each in TEXTS} == {*FOLDER.iterdir()}


def file_of(name, text, tier):
    return FOLDER / (f"{name}.{text}.sql" if tier == RAW else f"{name}.{text}.rolled.sql")


def clickhouse_text(text):
    """The same statement in ClickHouse's dialect, its places `$name` as they were."""
    tree = sqlglot.parse_one(text, read="duckdb")
    for node in reversed(list(tree.walk())):  # what is inside comes first
        if replaced := INSTEAD.get(type(node)):
            node.replace(replaced(node))
    return tree.sql("clickhouse", pretty=True, unsupported_level=sqlglot.ErrorLevel.RAISE) + "\n"
