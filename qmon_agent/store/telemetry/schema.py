"""The tables: one per kind of signal, the resource's columns after the time; and who spoke."""

from __future__ import annotations

from typing import Any

import msgspec

from qmon_sdk.protocol.signals import FIELDS, NO_LABELS, table_of


class TableColumn(msgspec.Struct, frozen=True):
    """One column: its name, its role (which gives its type), and what older rows hold."""

    name: str
    role: str
    default: Any


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table: the columns every kind has, then the kind's own in the wire's order."""

    name: str
    kind: str
    columns: tuple[TableColumn, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


RESOURCE = tuple(
    TableColumn(name, "Word", "") for name in ("service", "release", "environment", "host")
)
"""What a frame says once for all its rows."""
PROCESS = TableColumn("process", "Word", "")
"""The process instance, in hexadecimal."""


def _table(kind: str) -> Table:
    time, *own = (TableColumn(field.name, field.role, field.default) for field in FIELDS[kind])
    return Table(name=table_of(kind), kind=kind, columns=(time, *RESOURCE, PROCESS, *own))


TABLES: dict[str, Table] = {kind: _table(kind) for kind in FIELDS}
"""Kind → its table."""

RESOURCES = Table(
    name="resources",
    kind="resource",
    columns=(
        TableColumn("time", "Time", 0),
        *RESOURCE,
        PROCESS,
        TableColumn("pid", "Whole", 0),
        TableColumn("started", "Time", 0),
        TableColumn("sdk", "Word", ""),
        TableColumn("attributes", "Labels", NO_LABELS),
    ),
)
"""What is known of each process that spoke, once: its rows are no signals, and in no books."""

EVERY_TABLE: tuple[Table, ...] = (*TABLES.values(), RESOURCES)
BY_NAME: dict[str, Table] = {table.name: table for table in EVERY_TABLE}
"""Table name → table."""
