"""What is taken out of a segment when somebody is forgotten, and the tally of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from qmon_agent.domain.retention import Hold
from qmon_agent.store.telemetry.answers import Erased
from qmon_agent.store.telemetry.forgetting import going, staying
from qmon_agent.store.telemetry.manifest import Segment
from qmon_agent.store.telemetry.rollups import LISTED
from qmon_agent.store.telemetry.schema import Table

from .relisting import UNREADABLE


class Tally:
    """Adds up what became of a user's rows."""

    def __init__(self) -> None:
        self._removed: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        self._rewritten = 0
        self._emptied = 0

    def add(self, before: Segment, after: Segment | None, *, held: int) -> None:
        gone = before.rows - (after.rows if after else 0)
        self._removed[before.table] += gone
        self._held[before.table] += held
        self._rewritten += bool(after and gone)
        self._emptied += after is None

    def erased(self, directory: Path) -> Erased:
        """All of it; what is damaged, and was set aside for a person, is counted only."""
        return Erased(
            removed=+self._removed,
            held=+self._held,
            rewritten=self._rewritten,
            emptied=self._emptied,
            set_aside=sum(1 for _ in (directory / UNREADABLE).glob("*")),
        )


def conditions(segment: Segment, user: str, holds: Sequence[Hold]) -> tuple[str, str]:
    """Which of its rows go, and which would, were they not held."""
    table = _as_written(segment)
    return going(table, user, holds), staying(table, user, holds)


def _as_written(segment: Segment) -> Table:
    """Its table with the columns that there were when it was written."""
    table = LISTED[segment.table]
    columns = tuple(column for column in table.columns if column.name in segment.columns)
    return msgspec.structs.replace(table, columns=columns)
