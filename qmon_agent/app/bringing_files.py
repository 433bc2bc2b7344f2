"""Files that other tools exported, row by row: JSON, a line each or whole, CSV, Parquet."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

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
    """The file is known by its content, packed or not; StoreError if it cannot be read."""
    return Lot(
        key=f"{tool} {_sum_of(path)}",
        groups=lambda: groups_of(rows_of(path, left_out), service=service, left_out=left_out),
    )


def _sum_of(path: Path) -> str:
    try:
        with _opened(path) as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise StoreError(f"{path} cannot be unpacked: {problem}") from None
    except OSError as problem:
        raise StoreError(f"{path}: {problem.strerror}") from None


def _opened(path: Path) -> io.BufferedIOBase:
    """Its content, unpacked where it is packed."""
    with path.open("rb") as file:
        is_packed = file.read(len(_GZIP)) == _GZIP
    return gzip.open(path, "rb") if is_packed else path.open("rb")


def rows_of(path: Path, left_out: Counter[str]) -> Iterator[Any]:
    """Each row; what is none is counted. Raises StoreError for a file of another kind."""
    with path.open("rb") as file:
        head = file.read(len(_PARQUET))
    if head == _PARQUET:
        yield from _parquet(path)
        return
    with cast("IO[bytes]", _opened(path)) as content:
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
        if data.startswith(_GZIP):
            raise StoreError(f"{path} is packed twice: unpack it once") from None
        reason = f"neither JSON, nor CSV, nor Parquet: {problem}" if data else "empty"
        raise StoreError(f"{path} is {reason}") from None


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
