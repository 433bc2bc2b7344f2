"""Answers as a table, as JSON, or as CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click


def show_json(document: object) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def show_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)


def show_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """A table as wide as the terminal; whole rows, never cut, when the output is no terminal."""
    if not sys.stdout.isatty():
        _show_plain(columns, rows)
        return
    # A tenth of a second of import, for people only.
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(_printable(_cell(row.get(name))) for name in columns))
    Console(markup=False, highlight=False).print(table)


def _show_plain(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    cells = [[_printable(_cell(row.get(name))) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in (columns, *cells):
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _printable(text: str) -> str:
    # Telemetry is written by strangers: no escape sequence of theirs reaches a terminal.
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
