"""Files that other tools exported, row by row: JSON, a line each or whole, CSV, Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from qmon_agent import durable
from qmon_agent.app.bringing import Group, Lot
from qmon_agent.domain.errors import StoreError
from qmon_agent.ingest.loose import decoded
from qmon_sdk.protocol.errors import WireError

_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_ROWS = 1_000
_LISTS = ("results", "events", "data", "issues")
"""Under which of these the rows are, where a file is one object."""
GroupsOf = Callable[..., Iterator[Group]]


def lot_of_file(
    path: Path, tool: str, groups_of: GroupsOf, *, service: str, left_out: Counter[str]
) -> Lot:
    """The file is known by its content; StoreError if it cannot be read."""
    try:
        key = f"{tool} {durable.sha256_of(path)}"
    except OSError as problem:
        raise StoreError(f"{path}: {problem.strerror}") from None
    return Lot(
        key=key,
        groups=lambda: groups_of(rows_of(path, left_out), service=service, left_out=left_out),
    )


def rows_of(path: Path, left_out: Counter[str]) -> Iterator[Any]:
    """Each row; what is none is counted. Raises StoreError for a file of another kind."""
    with path.open("rb") as file:
        head = file.read(4)
    if head == _PARQUET:
        yield from _parquet(path)
        return
    opens = gzip.open if head.startswith(_GZIP) else open
    with cast("IO[bytes]", opens(path, "rb")) as content:
        name = path.name.removesuffix(".gz")
        yield from _csv(content) if name.endswith(".csv") else _json(content, path, left_out)


def _json(content: IO[bytes], path: Path, left_out: Counter[str]) -> Iterator[Any]:
    first = next((line for line in content if line.strip()), b"")
    try:
        row = decoded(first)
    except WireError:
        yield from _document(first + content.read(), path)  # one document on many lines
        return
    yield from _listed(row)
    for line in content:
        if line.strip():
            try:
                yield from _listed(decoded(line))
            except WireError:
                left_out["not_json"] += 1


def _document(data: bytes, path: Path) -> Iterable[Any]:
    try:
        return _listed(decoded(data))
    except WireError as problem:
        raise StoreError(f"{path} is neither JSON, nor CSV, nor Parquet: {problem}") from None


def _listed(found: Any) -> list[Any]:
    if isinstance(found, list):
        return found
    lists = (found[key] for key in _LISTS if isinstance(found, dict) and key in found)
    return next((rows for rows in lists if isinstance(rows, list)), [found])


def _csv(content: IO[bytes]) -> Iterator[Any]:
    csv.field_size_limit(sys.maxsize >> 33)
    yield from csv.DictReader(io.TextIOWrapper(content, "utf-8", errors="replace", newline=""))


def _parquet(path: Path) -> Iterator[Any]:
    try:
        import duckdb
    except ImportError:
        raise StoreError("to read Parquet, install qmon[store]") from None
    try:
        found = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in found.description or ()]
        while rows := found.fetchmany(_ROWS):
            yield from (dict(zip(names, row, strict=True)) for row in rows)
    except duckdb.Error as problem:
        raise StoreError(f"{path}: {problem}") from None
