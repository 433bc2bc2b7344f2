"""The store of a stopped agent, to be queried from this process; nothing in it is changed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from qmon_agent.domain.errors import StoreError
from qmon_agent.journal import Position, records_behind

from .answers import Freshness, QueryResult, StateTable
from .options import TelemetryOptions
from .watch import Watch

if TYPE_CHECKING:
    from .engine import Question

TELEMETRY = "telemetry"
JOURNAL = "journal"
BATCH_BYTES = 4 << 20
EVERYTHING = Position(record_id=(1 << 63) - 1)


class ReadOnlyStore:
    """Answers queries from a copy of the hot file, brought up to date from the journal."""

    def __init__(self, options: TelemetryOptions) -> None:
        # Here, and not above: the agent's main process imports this package without the engine.
        from .engine import borrow_engine
        from .following import Follower

        self._options = options
        self._room = Path(tempfile.mkdtemp(prefix="qmon-query-"))
        try:
            self._engine = borrow_engine(options, self._room)
            follower = Follower(Path(options.journal), self._engine, bury=lambda *_: None)
            while follower.follow(EVERYTHING, max_bytes=BATCH_BYTES):
                pass
            follower.close()
        except BaseException:
            shutil.rmtree(self._room, ignore_errors=True)
            raise

    def query(
        self,
        sql: str,
        *,
        limit: int | None = None,
        timeout_s: float | None = None,
        state_tables: Mapping[str, StateTable] | None = None,
    ) -> QueryResult:
        """Answer one read-only statement, or raise QueryError."""
        from .engine import Question

        question = Question(
            sql=sql,
            limit=self._options.query_rows if limit is None else limit,
            timeout_s=self._options.query_timeout_s if timeout_s is None else timeout_s,
            state=state_tables or {},
        )
        result = self._engine.ask(question, Watch())
        return msgspec.structs.replace(result, freshness=self.freshness)

    @cached_property
    def freshness(self) -> Freshness | None:
        """Of ClickHouse, into which nothing is brought for a question; else all is in an answer."""
        if not self._options.address:
            return None
        from .engines.clickhouse.outgoing import arrived_of

        stored = arrived_of(Path(self._options.directory)).record_id
        behind = records_behind(Path(self._options.journal), stored)
        return Freshness(stored_record=stored, behind_records=behind)

    def stream(
        self,
        question: Question,
        *,
        form: str,
        put: Callable[[bytes, int], None],
        left_out: Callable[[Sequence[str]], None],
    ) -> int:
        """Answer as a file, piece by piece; how many rows. Raises QueryError."""
        return self._engine.stream(question, Watch(), form=form, put=put, left_out=left_out)

    def close(self) -> None:
        """Remove the copy."""
        self._engine.close()
        shutil.rmtree(self._room, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_readonly(
    state_dir: Path | str, *, telemetry: Path | None = None, **limits: Any
) -> ReadOnlyStore:
    """Open what a stopped agent left in its state directory; StoreError if there is nothing.

    `limits` are those of TelemetryOptions: `query_timeout_s`, `query_rows`, and `address` and
    `password` of a ClickHouse.
    """
    state = Path(state_dir)
    options = TelemetryOptions(
        directory=str(telemetry or state / TELEMETRY), journal=str(state / JOURNAL)
    )
    options = msgspec.structs.replace(options, **limits)
    if (
        not options.address
        and not Path(options.directory).is_dir()
        and not Path(options.journal).is_dir()
    ):
        raise StoreError(f"no agent and no state in {state}")
    return ReadOnlyStore(options)
