"""What rules want to ask the store, tried on an empty one before anything starts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from qmon_agent.alerting.declaring import statement_of
from qmon_agent.app.state_views import empty_state_tables
from qmon_agent.domain.errors import ConfigError, QueryError, nearest_to
from qmon_agent.settings import Settings
from qmon_agent.store.telemetry import TelemetryOptions

_TIMEOUT_S = 5.0


def wrong_statements(settings: Settings) -> Iterator[ConfigError]:
    """SQL that no store could answer, or whose answer has not the column that is compared."""
    asked = [(each, said) for each in settings.alerts if (said := statement_of(each)) is not None]
    if not asked:
        return
    with tempfile.TemporaryDirectory(prefix="qmon-check-") as room, _Empty(Path(room)) as store:
        for alert, sql in asked:
            column = str(alert.options.get("column", ""))
            if problem := store.problem(sql, column):
                yield ConfigError(f"alerts.{alert.name}.{problem[0]}", *problem[1:])


class _Empty:
    """A store with all tables and no rows."""

    def __init__(self, room: Path) -> None:
        # Imported only then: the agent's main process is to be without the engine.
        from qmon_agent.store.telemetry.engine import open_engine

        options = TelemetryOptions(directory=str(room / "store"), journal=str(room / "journal"))
        self._engine = open_engine(options)

    def problem(self, sql: str, column: str) -> tuple[str, str, tuple[str, ...]] | None:
        """The option that is wrong, why, and what may have been meant."""
        try:
            columns = self._columns(sql)
        except QueryError as problem:
            return "query", _in_a_line(str(problem)), ()
        if column and columns and column not in columns:
            return "column", f"the answer has no column {column!r}", nearest_to(column, columns)
        return None

    def _columns(self, sql: str) -> list[str]:
        """Those of the answer, without asking; none where it is no SELECT but can be asked."""
        try:
            return [str(row[0]) for row in self._ask(f"DESCRIBE {sql}")]
        except QueryError:
            self._ask(sql)  # says better what is wrong with it
            return []

    def _ask(self, sql: str) -> list[list[object]]:
        from qmon_agent.store.telemetry.engine import Question
        from qmon_agent.store.telemetry.watch import Watch

        question = Question(
            sql=sql, limit=1_000, timeout_s=_TIMEOUT_S, state=empty_state_tables(sql)
        )
        return self._engine.ask(question, Watch()).rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()


def _in_a_line(words: str) -> str:
    """What the engine says, without the drawing of where it is."""
    return " ".join(words.partition("\n\nLINE")[0].split())
