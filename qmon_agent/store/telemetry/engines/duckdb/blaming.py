"""Whose fault it is that a question failed: its own, or that of a file that cannot be read.

A damaged segment fails in many ways, and DuckDB has no kind of error for it. What no statement can
bring about by itself is one that a file is behind; what both can bring about may be.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from qmon_agent.domain.errors import QueryError
from qmon_agent.store.telemetry.engine import Question
from qmon_agent.store.telemetry.watch import StoppedError, Watch

OF_A_STATEMENT = (
    "Binder Error",
    "Catalog Error",
    "Parser Error",
    "Permission Error",
    "Syntax Error",
)
"""How begins what nothing but a wrong statement brings about."""
OF_EITHER = (
    "Conversion Error",
    "Decimal Error",
    "Invalid Input Error",
    "Mismatch Type Error",
    "Not implemented Error",
    "Out of Range Error",
)
"""How begins what a statement can bring about, and a damaged file, too; all else is of a file."""
INTERRUPTED, NO_MEMORY, FATAL = "INTERRUPT Error", "Out of Memory Error", "FATAL Error"
TOO_MUCH = (
    "the query needs more memory than the store may use: narrow its time range, group by less, or "
    "raise `memory` under [store]"
)


class UnreadableError(QueryError):
    """A question failed in a way in which damaged segments let it fail."""

    def __init__(self, message: str, tables: Collection[str], *, is_sure: bool) -> None:
        """`is_sure`: no statement is wrong in such a way."""
        super().__init__(message)
        self.tables = tables
        self.is_sure = is_sure


class BrokenOffError(Exception):
    """Rows were coming, and then an error: as Arrow tells it, which knows its words alone."""


def batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """What comes; raises BrokenOffError for what was DuckDB's, so that nobody else's is."""
    try:
        yield from reader
    except (OSError, pa.ArrowException) as error:
        raise BrokenOffError(str(error)) from error


@contextmanager
def said_plainly(question: Question, watch: Watch, tables: Collection[str]) -> Iterator[None]:
    """What goes wrong inside is a QueryError, or an UnreadableError where a file may be why."""
    try:
        yield
    except duckdb.FatalException:
        raise
    except (duckdb.Error, BrokenOffError) as error:
        if str(error).startswith(FATAL):
            raise
        raise _meant(error, question, watch, tables=tables) from error
    except (ValueError, TypeError) as error:
        raise QueryError(str(error)) from error


@contextmanager
def no_statement_in_it(tables: Collection[str]) -> Iterator[None]:
    """Inside only ours is run: what is not there, or is of another type, was there once."""
    try:
        yield
    except duckdb.ProgrammingError as error:
        raise UnreadableError(str(error), tables, is_sure=True) from error


def _meant(
    error: duckdb.Error | BrokenOffError,
    question: Question,
    watch: Watch,
    *,
    tables: Collection[str],
) -> Exception:
    words = str(error)
    if words.startswith(INTERRUPTED):
        if not watch.overdue:
            return StoppedError()
        return QueryError(f"stopped: it took longer than {question.timeout_s:g} s")
    if words.startswith(NO_MEMORY):
        return QueryError(TOO_MUCH)
    if words.startswith(OF_A_STATEMENT):
        return QueryError(words)
    return UnreadableError(words, tables, is_sure=not words.startswith(OF_EITHER))
