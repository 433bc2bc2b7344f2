"""Answers as a table, as JSON, or as CSV."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TextIO

import click

_LONGEST = 200
"""Characters of a cell of a table; JSON and CSV have all of them."""


def show_json(document: object) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


class Trouble(NamedTuple):
    """One thing that is wrong."""

    kind: str
    message: str
    field: str = ""


def show_troubles(troubles: Sequence[Trouble]) -> None:
    """What went wrong, for programs: the first thing, and all of them."""
    errors = [
        {"type": one.kind, "message": one.message} | ({"field": one.field} if one.field else {})
        for one in troubles
    ]
    show_json({"version": 1, "error": errors[0], "errors": errors})


def show_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)


def show_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """A table for people: long texts are cut; as wide as the terminal, where there is one."""
    if not sys.stdout.isatty():
        _show_plain(columns, rows)
        return
    # A tenth of a second of import, for people only.
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*_line(columns, row))
    Console(markup=False, highlight=False).print(table)


def _show_plain(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    cells = [_line(columns, row) for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in (columns, *cells):
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _line(columns: Sequence[str], row: Mapping[str, Any]) -> list[str]:
    return [_short(printable(_cell(row.get(name)))) for name in columns]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def printable(text: str) -> str:
    """The text as a terminal may show it: written by strangers, so without escape sequences."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class PatientOutput:
    """Standard output, whose reader may leave at any moment: the rest then goes nowhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_heard = True
        """Whether anybody reads it still."""

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._go_on_for_nobody()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._go_on_for_nobody()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _go_on_for_nobody(self) -> None:
        self.is_heard = False
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
