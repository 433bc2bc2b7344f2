"""A question whose answer may be larger than memory: row by row into a form, as it is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa

from qmon_agent.domain.errors import QueryError
from qmon_agent.store.telemetry.engine import Question
from qmon_agent.store.telemetry.manifest import Manifest
from qmon_agent.store.telemetry.watch import Watch

from .asking import BATCH_ROWS, WIDE, columns_of, prepared
from .blaming import batches
from .forms import FORMS

Put = Callable[[bytes, int], None]
"""Takes a piece, and how many rows there were by then; blocks until there is room for more."""


HELD_BYTES = 1 << 20


class Held:
    """Keeps the first of an answer back, as it can begin anew until any of it has gone."""

    def __init__(self, put: Put, left_out: Callable[[Sequence[str]], None]) -> None:
        self.has_gone = False
        self.missing: Sequence[str] = ()
        self._put = put
        self._left_out = left_out
        self._pieces: list[tuple[bytes, int]] = []
        self._bytes = 0

    def begin_anew(self) -> None:
        self._pieces.clear()
        self._bytes = 0

    def put(self, data: bytes, rows: int) -> None:
        self._pieces.append((data, rows))
        self._bytes += len(data)
        if self._bytes > HELD_BYTES or self.has_gone:
            self.let_go()

    def let_go(self) -> None:
        """What was kept back goes, and what comes from now on goes at once."""
        if not self.has_gone:
            self._left_out(self.missing)
        self.has_gone = True
        for data, rows in self._pieces:
            self._put(data, rows)
        self._pieces.clear()


class Into(NamedTuple):
    """As what the answer comes, and who takes it."""

    form: str
    held: Held


def stream(
    connection: duckdb.DuckDBPyConnection,
    question: Question,
    *,
    into: Into,
    manifest: Callable[[], Manifest],
    directory: Path,
    watch: Watch,
) -> int:
    """Answer piece by piece; how many rows. QueryError in the middle: then it is not whole."""
    if into.form not in FORMS:
        raise QueryError(f"format: no {into.form!r}; there are {', '.join(FORMS)}")
    with prepared(
        connection, question, manifest=manifest, directory=directory, watch=watch
    ) as asked:
        into.held.missing = asked.missing
        rows = _Rows(question.limit)
        with _exactly(asked.relation).to_arrow_reader(BATCH_ROWS) as reader:
            names = [column.name for column in columns_of(asked.relation)]
            schema = pa.schema(
                [field.with_name(name) for field, name in zip(reader.schema, names, strict=True)]
            )
            for piece in FORMS[into.form](schema, rows.counted(reader, schema)):
                if piece:
                    into.held.put(piece, rows.count)
    return rows.count


class _Rows:
    """Lets so many rows pass, and counts them."""

    def __init__(self, limit: int) -> None:
        self.count = 0
        self._limit = limit

    def counted(self, reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for batch in batches(reader):
            wanted = batch.slice(0, self._limit - self.count)
            self.count += wanted.num_rows
            if wanted.num_rows:
                yield pa.RecordBatch.from_arrays(wanted.columns, schema=schema)
            if self.count >= self._limit:
                return


def _exactly(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Sums of integers as decimals of 38 digits: Arrow has no such integer."""
    kinds = [str(kind) for kind in relation.types]
    if not any(kind in WIDE for kind in kinds):
        return relation
    columns = [
        f"CAST(#{place} AS DECIMAL(38, 0))" if kind in WIDE else f"#{place}"
        for place, kind in enumerate(kinds, start=1)
    ]
    return relation.project(", ".join(columns))
