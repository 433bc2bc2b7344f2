"""Answers that are still true: the same question of the same data is not answered twice."""

from __future__ import annotations

from .answers import QueryResult
from .layouts import Layout
from .link import Progress

MOST = 64
MOST_CELLS = 50_000
"""In one answer, and in all of them: the agent's main process is a small one."""
CELL_BYTES = 24
"""Of an answer that is written already."""
Key = tuple[str, int, Layout]


class Remembered:
    """Answers by statement, row limit and layout, of one version of the data only."""

    def __init__(self) -> None:
        self._version: Progress | None = None
        self._known: dict[Key, QueryResult] = {}
        self._cells = 0

    def find(self, version: Progress, key: Key) -> QueryResult | None:
        """The answer, if it was given of this version."""
        return self._known.get(key) if version == self._version else None

    def keep(self, version: Progress, key: Key, result: QueryResult) -> None:
        """Remember it; all that is known of another version, or is too much, is forgotten."""
        cells = len(result.rows) * len(result.columns) + len(result.written or b"") // CELL_BYTES
        is_full = len(self._known) >= MOST or self._cells + cells > MOST_CELLS
        if version != self._version or is_full:
            self._version, self._known, self._cells = version, {}, 0
        if cells <= MOST_CELLS and key not in self._known:
            self._known[key] = result
            self._cells += cells
