"""One question answered: checked, run within its limits on the server, read to its limit."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from qmon_agent.domain.errors import QueryError
from qmon_agent.store.telemetry.answers import Column, QueryResult
from qmon_agent.store.telemetry.engine import Question
from qmon_agent.store.telemetry.rollups import VIEWS
from qmon_agent.store.telemetry.schema import BY_NAME
from qmon_agent.store.telemetry.watch import StoppedError, Watch

from .guard import EXPLAIN, Checked, checked, shaped
from .server import AwayError, Server
from .state import with_state
from .values import AS_NUMBERS, reader_of

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

MEMORY_BYTES = 4 << 30
"""How much one question may use on a server."""
GRACE_S = 1.0
"""For so long the server is left to end a question by itself."""
MAX_CELLS = 4_000_000
"""How large an answer may be; more is cut, and said to be."""
TIMEOUT, TOO_MUCH_MEMORY, STOPPED = "Code: 159.", "Code: 241.", "Code: 394."
READING = {"readonly": 1, "final": 1, "max_memory_usage": MEMORY_BYTES}
"""Nothing is written or set; of each process only the last word on it is seen."""


def answer(server: Server, question: Question, watch: Watch) -> QueryResult:
    """Answer, or raise QueryError; also where the server is away."""
    began = time.perf_counter()
    query_id = str(uuid.uuid4())
    with _said_plainly(question, watch), server.asked() as client:
        statement = _looked_at(client, question)
        sql = with_state(statement.sql, question.state, statement.tables)
        settings: dict[str, Any] = {
            **READING,
            "max_execution_time": max(1, round(question.timeout_s)),
        }
        if not server.address.folder:
            settings["query_id"] = query_id
        with watch.over(_once(server, query_id), timeout_s=question.timeout_s + GRACE_S):
            if statement.is_about:
                columns, rows, cut = _whole(client, sql, settings, limit=question.limit)
            else:
                columns, rows, cut = _streamed(client, sql, settings, limit=question.limit)
    return QueryResult(
        columns=columns,
        rows=rows,
        truncated=cut,
        elapsed_ms=round((time.perf_counter() - began) * 1000, 3),
    )


def _once(server: Server, query_id: str) -> Callable[[], None]:
    """End the question on the server: said once, for the watch asks again and again."""
    said: list[bool] = []

    def interrupt() -> None:
        if not said:
            said.append(True)
            with suppress(AwayError):
                server.stop(query_id)

    return interrupt


def _looked_at(client: Client, question: Question) -> Checked:
    tables = (*BY_NAME, *VIEWS, *question.state)
    bare = shaped(question.sql, tables)
    if isinstance(bare, Checked):
        return bare
    tree = client.query(f"EXPLAIN AST {EXPLAIN.sub('', bare, count=1)}").result_rows
    return checked(question.sql, bare, "\n".join(line for (line,) in tree), tables=tables)


def _whole(
    client: Client, sql: str, settings: dict[str, Any], *, limit: int
) -> tuple[tuple[Column, ...], list[list[Any]], bool]:
    """What is said about a query or a table: a few lines, which cannot be streamed."""
    found = client.query(sql, settings=settings, query_formats=AS_NUMBERS)
    rows = [list(row) for row in found.result_rows]
    return _columns(found.column_names, found.column_types), rows[:limit], len(rows) > limit


def _streamed(
    client: Client, sql: str, settings: dict[str, Any], *, limit: int
) -> tuple[tuple[Column, ...], list[list[Any]], bool]:
    """Rows as they come, never more than are wanted; and whether there would have been more."""
    rows: list[list[Any]] = []
    stream = client.query_column_block_stream(sql, settings=settings, query_formats=AS_NUMBERS)
    with stream as blocks:
        source: Any = stream.source
        names, types = source.column_names, source.column_types
        columns, readers = _columns(names, types), [reader_of(kind) for kind in types]
        for block in blocks:
            plain = [
                [read(value) for value in column]
                for read, column in zip(readers, block, strict=True)
            ]
            rows.extend(map(list, zip(*plain, strict=True)))
            if len(rows) > limit or len(rows) * len(names) > MAX_CELLS:
                return columns, rows[:limit], True
    return columns or _described(client, sql), rows, False


def _described(client: Client, sql: str) -> tuple[Column, ...]:
    """The columns of an answer without rows, of which a stream may say nothing."""
    found = client.query(f"DESCRIBE TABLE (\n{sql.rstrip().rstrip(';')}\n)").result_rows
    return tuple(Column(name, kind) for name, kind, *_ in found)


def _columns(names: Sequence[str], types: Iterable[Any]) -> tuple[Column, ...]:
    """Names made different, for rows are shown as objects."""
    seen: Counter[str] = Counter()
    found = []
    for name, kind in zip(names, types, strict=True):
        seen[name] += 1
        unique = name if seen[name] == 1 else f"{name}_{seen[name]}"
        found.append(Column(unique, kind.name))
    return tuple(found)


@contextmanager
def _said_plainly(question: Question, watch: Watch) -> Iterator[None]:
    try:
        yield
    except AwayError as error:
        said = str(error)
        if said.startswith((TIMEOUT, STOPPED)) or watch.overdue:
            raise QueryError(f"stopped: it took longer than {question.timeout_s:g} s") from error
        if watch.cancelled and not said.startswith("Code:"):
            raise StoppedError from error
        if said.startswith(TOO_MUCH_MEMORY):
            raise QueryError(
                "the query needs more memory than one may use: narrow its time range, or group by "
                "less"
            ) from error
        if not said.startswith("Code:"):
            raise QueryError(f"ClickHouse is away: {said}") from error
        raise QueryError(said) from error
