"""One question answered: checked, run within its time, read to its limit."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from qmon_agent.store.telemetry.answers import Column, QueryResult
from qmon_agent.store.telemetry.engine import Question
from qmon_agent.store.telemetry.in_series import in_series
from qmon_agent.store.telemetry.manifest import Manifest, said_of
from qmon_agent.store.telemetry.objects import array, cells, objects, written
from qmon_agent.store.telemetry.plain import leaf, plain
from qmon_agent.store.telemetry.rollups import VIEWS
from qmon_agent.store.telemetry.schema import BY_NAME
from qmon_agent.store.telemetry.watch import Watch

from . import views
from .blaming import batches, no_statement_in_it, said_plainly
from .guard import checked

BATCH_ROWS = 2_048
WRITTEN_ROWS = 8_192
MAX_BYTES = 64 << 20
"""How large an answer may be, as Arrow has it; more is cut, and said to be."""
WIDE = ("HUGEINT", "UHUGEINT")


def answer(
    connection: duckdb.DuckDBPyConnection,
    question: Question,
    *,
    manifest: Callable[[], Manifest],
    directory: Path,
    watch: Watch,
) -> QueryResult:
    """Answer, or raise QueryError; the connection is the caller's to close."""
    began = time.perf_counter()
    with prepared(
        connection, question, manifest=manifest, directory=directory, watch=watch
    ) as asked:
        columns = columns_of(asked.relation)
        told: bytes | None = None
        rows: list[list[Any]] = []
        if (layout := question.as_json) is not None:
            write = partial(_write_series, by=layout.by) if layout.by else _write
            told, truncated = write(asked.relation, columns, question.limit)
        else:
            rows, truncated = _read(asked.relation, question.limit)
    return QueryResult(
        columns=columns,
        rows=rows,
        written=told,
        truncated=truncated,
        missing=asked.missing,
        elapsed_ms=round((time.perf_counter() - began) * 1000, 3),
    )


class Asked(NamedTuple):
    """A statement that passed, about to be run; and what it will not see of damaged segments."""

    relation: duckdb.DuckDBPyRelation
    missing: tuple[str, ...]


@contextmanager
def prepared(
    connection: duckdb.DuckDBPyConnection,
    question: Question,
    *,
    manifest: Callable[[], Manifest],
    directory: Path,
    watch: Watch,
) -> Iterator[Asked]:
    """Check a question and make its views; what goes wrong inside is said as a QueryError."""
    ours = BY_NAME.keys() | VIEWS.keys()
    statement = checked(connection, question.sql, tables=(*BY_NAME, *VIEWS, *question.state))
    wanted = ours if statement.tables is None else statement.tables & ours
    watched = watch.over(connection.interrupt, timeout_s=question.timeout_s)
    with said_plainly(question, watch, wanted), watched:
        views.hand_in(connection, question.state)
        views.begin_reading(connection)
        listed = manifest()
        looked_at = listed.within(question.within)
        with no_statement_in_it(wanted):
            views.create(connection, sorted(wanted), manifest=looked_at, directory=directory)
        missing = tuple(said_of(each) for each in listed.damaged if each.table in wanted)
        yield Asked(connection.sql(statement.sql), missing)


def _read(relation: duckdb.DuckDBPyRelation, limit: int) -> tuple[list[list[Any]], bool]:
    """Rows as they come, never more than are wanted; and whether there would have been more."""
    rows: list[list[Any]] = []
    kinds, size = [str(kind) for kind in relation.types], 0
    with _exactly(relation, kinds).to_arrow_reader(BATCH_ROWS) as reader:
        for batch in batches(reader):
            columns = [
                _whole(plain(column)) if kind in WIDE else plain(column)
                for column, kind in zip(batch.columns, kinds, strict=True)
            ]
            rows.extend(map(list, zip(*columns, strict=True)))
            size += batch.nbytes
            if len(rows) > limit or size > MAX_BYTES:
                return rows[:limit], True
    return rows, False


def _write(
    relation: duckdb.DuckDBPyRelation, columns: tuple[Column, ...], limit: int
) -> tuple[bytes, bool]:
    """The same as JSON."""
    names, kinds = [each.name for each in columns], [each.type for each in columns]
    readers = [_sums if kind in WIDE else cells for kind in kinds]
    pieces, left, size = [], limit, 0
    with _exactly(relation, kinds).to_arrow_reader(WRITTEN_ROWS) as reader:
        for batch in batches(reader):
            pieces.append(objects(names, batch.slice(0, left).columns, readers))
            left, size = left - batch.num_rows, size + batch.nbytes
            if left < 0 or size > MAX_BYTES:
                return array(pieces), True
    return array(pieces), False


def _write_series(
    relation: duckdb.DuckDBPyRelation,
    columns: tuple[Column, ...],
    limit: int,
    *,
    by: tuple[str, ...],
) -> tuple[bytes, bool]:
    """The same by series, whose rows come in turns."""
    names, kinds = [each.name for each in columns], [each.type for each in columns]
    readers = [_wholes if kind in WIDE else plain for kind in kinds]
    kept, left, size, is_cut = [], limit, 0, False
    with _exactly(relation, kinds).to_arrow_reader(WRITTEN_ROWS) as reader:
        for batch in batches(reader):
            kept.append(batch.slice(0, left))
            left, size = left - batch.num_rows, size + batch.nbytes
            if is_cut := left < 0 or size > MAX_BYTES:
                break
        rows = pa.Table.from_batches(kept, reader.schema).rename_columns(names)
    return in_series(rows, by=by, readers=readers), is_cut


def _sums(column: pa.Array, before: bytes) -> list[bytes]:
    return written(_wholes(column), before)


def _wholes(column: pa.Array) -> list[Any]:
    return _whole(plain(column))


def _exactly(relation: duckdb.DuckDBPyRelation, kinds: list[str]) -> duckdb.DuckDBPyRelation:
    """Sums of integers as text: Arrow has no such type, and would be given floats."""
    if not any(kind in WIDE for kind in kinds):
        return relation
    columns = [
        f"CAST(#{place} AS VARCHAR)" if kind in WIDE else f"#{place}"
        for place, kind in enumerate(kinds, start=1)
    ]
    return relation.project(", ".join(columns))


def _whole(values: list[Any]) -> list[Any]:
    """Back from text, unless no integer of JSON's readers would hold it."""
    return [value if value is None else leaf(int(value)) for value in values]


def columns_of(relation: duckdb.DuckDBPyRelation) -> tuple[Column, ...]:
    """Names made different, for rows are shown as objects."""
    seen: Counter[str] = Counter()
    found = []
    for name, kind in zip(relation.columns, relation.types, strict=True):
        seen[name] += 1
        unique = name if seen[name] == 1 else f"{name}_{seen[name]}"
        found.append(Column(unique, str(kind)))
    return tuple(found)
