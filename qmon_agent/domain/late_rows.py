"""The rows of some blocks, made when somebody looks at them, which mostly nobody does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from qmon_sdk.protocol.columns import Block, rows_of


class LateRows(Sequence[Any]):
    """All rows in order; what cannot be read raises FrameError when it is looked at."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        """Blocks of one kind."""
        self._blocks = tuple(blocks)
        self._rows: list[Any] | None = None

    def __len__(self) -> int:
        return sum(block.rows for block in self._blocks)

    @overload
    def __getitem__(self, at: int) -> Any: ...
    @overload
    def __getitem__(self, at: slice) -> list[Any]: ...
    def __getitem__(self, at: int | slice) -> Any:
        if self._rows is None:
            self._rows = [row for block in self._blocks for row in rows_of(block)]
        return self._rows[at]
