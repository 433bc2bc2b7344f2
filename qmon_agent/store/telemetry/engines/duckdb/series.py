"""Points in the hot file: what names a series is written once, and its samples by a number.

`points` is a view that puts them together again. A generation has numbers of its own, so that it
can be given up without the others.
"""

from __future__ import annotations

from qmon_agent.store.telemetry.schema import EVERY_TABLE, TABLES, Table, TableColumn

from . import ddl

POINTS = TABLES["point"]
NUMBER = TableColumn("series", "Whole", 0)
NAMING = tuple(each for each in POINTS.columns if each.role in {"Word", "Labels"})
"""The columns that are the same in every sample of a series."""
SAID = tuple(each for each in POINTS.columns if each.role not in {"Word", "Labels", "Buckets"})
BUCKETS = next(each for each in POINTS.columns if each.role == "Buckets")

SERIES = Table(name="series", kind="", columns=(NUMBER, *NAMING))
SAMPLES = Table(name="samples", kind="", columns=(NUMBER, *SAID))
SPREADS = Table(name="spreads", kind="", columns=(NUMBER, *SAID, BUCKETS))
"""Samples that have buckets."""
WRITTEN = (*(each for each in EVERY_TABLE if each is not POINTS), SERIES, SAMPLES, SPREADS)
"""What a generation consists of."""

SORTED = """
WITH ranked AS MATERIALIZED (
  SELECT series, row_number() OVER (ORDER BY {order}) AS rank FROM {schema}.series)
SELECT * FROM (
  SELECT rank, rows.* FROM ({rows}) AS rows JOIN ranked USING (series)
  WHERE {condition} ORDER BY rank, time)
JOIN {schema}.series USING (series)
"""


def script(schema: str) -> str:
    """Everything that a generation needs."""
    created = [ddl.create(table, schema) for table in WRITTEN]
    return "\n\n".join([*created, view(schema)]) + "\n"


def view(schema: str) -> str:
    """The statement that makes points of series and samples."""
    columns = ", ".join(map(ddl.quoted, POINTS.column_names))
    return (
        f"CREATE OR REPLACE VIEW {schema}.{POINTS.name} AS SELECT {columns} "  # noqa: S608 - our names
        f"FROM ({_rows(schema)}) JOIN {schema}.series USING (series);"
    )


def counted(table: Table, schema: str) -> str:
    """What has the times of a table's rows, and for each a `place`, and costs little to read."""
    sources = (SAMPLES.name, SPREADS.name) if table is POINTS else (ddl.quoted(table.name),)
    every = [f"SELECT time, rowid AS place FROM {schema}.{source}" for source in sources]  # noqa: S608 - our names
    return f"({' UNION ALL '.join(every)})"


def in_order(schema: str, *, order: str, condition: str, spread: bool) -> str:
    """The points in the order of a segment, as a query.

    Numbers are sorted, and what names a series comes to them afterwards: in order, as long as the
    names fit into memory. Where there are no buckets, none are carried along.
    """
    rows = _rows(schema) if spread else _samples(schema)
    return f"({SORTED.format(order=order, schema=schema, rows=rows, condition=condition)})"


def _rows(schema: str) -> str:
    return f"{_samples(schema)} UNION ALL {_of(schema, SPREADS, ddl.quoted(BUCKETS.name))}"


def _samples(schema: str) -> str:
    return _of(schema, SAMPLES, f"{ddl.literal(BUCKETS)} AS {ddl.quoted(BUCKETS.name)}")


def _of(schema: str, table: Table, buckets: str) -> str:
    said = ", ".join(ddl.quoted(each.name) for each in (NUMBER, *SAID))
    return f"SELECT {said}, {buckets}, rowid AS place FROM {schema}.{table.name}"  # noqa: S608 - our names
