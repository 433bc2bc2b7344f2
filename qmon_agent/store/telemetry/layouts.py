"""How the rows of an answer are laid out: one after the other, or a series at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

Row = Mapping[str, Any]


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Each row as an object, unless columns are named that tell series apart."""

    by: tuple[str, ...] = ()
    """What these say is said once for each series; the other columns are lists."""

    def of(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Rows laid out, each series where its first row stood."""
        if not self.by:
            return rows
        found: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows:
            found.setdefault(tuple(row[name] for name in self.by), []).append(row)
        return [self._series(of_one) for of_one in found.values()]

    def _series(self, rows: Sequence[Row]) -> dict[str, Any]:
        return {
            name: value if name in self.by else [row[name] for row in rows]
            for name, value in rows[0].items()
        }


ROWS = Layout()
