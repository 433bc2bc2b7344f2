"""DuckDB's words for the tables: types by role, creation, and columns added later."""

from __future__ import annotations

from collections.abc import Iterable

from qmon_agent.store.telemetry.schema import EVERY_TABLE, Table, TableColumn

TYPES = {
    "Time": "TIMESTAMP_NS",
    "Duration": "BIGINT",
    "Whole": "BIGINT",
    "Number": "DOUBLE",
    "Flag": "BOOLEAN",
    "Key": "VARCHAR",
    "Word": "VARCHAR",
    "Text": "VARCHAR",
    "Labels": "MAP(VARCHAR, VARCHAR)",
    "Buckets": "MAP(INTEGER, BIGINT)",
}
"""Role → type."""


def quoted(name: str) -> str:
    """A name as an identifier, whatever it is."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text as a literal."""
    return "'" + value.replace("'", "''") + "'"


def create(table: Table, schema: str) -> str:
    """The statement that makes a table."""
    columns = ",\n".join(f"  {_column(column)}" for column in table.columns)
    return f"CREATE TABLE {schema}.{quoted(table.name)} (\n{columns}\n);"


def add(table: Table, schema: str, present: Iterable[str]) -> list[str]:
    """The statements that give an older table the columns it does not have."""
    known = set(present)
    target = f"{schema}.{quoted(table.name)}"
    return [
        f"ALTER TABLE {target} ADD COLUMN {_column(column)};"
        for column in table.columns
        if column.name not in known
    ]


def literal(column: TableColumn) -> str:
    """The default of a column: what rows from before it hold."""
    value, kind = column.default, TYPES[column.role]
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        pairs = ", ".join(f"{_plain(key)}: {_plain(each)}" for key, each in value.items())
        return f"CAST(MAP {{{pairs}}} AS {kind})"
    return f"CAST({_plain(value)} AS {kind})" if column.role != "Time" else _moment(value)


def script(schema: str = "hot") -> str:
    """Every table, as the golden file keeps it."""
    return "\n\n".join(create(table, schema) for table in EVERY_TABLE) + "\n"


def _column(column: TableColumn) -> str:
    return f"{quoted(column.name)} {TYPES[column.role]} DEFAULT {literal(column)}"


def _plain(value: object) -> str:
    return text(value) if isinstance(value, str) else str(value)


def _moment(value: int) -> str:
    return f"make_timestamp_ns({value})"
