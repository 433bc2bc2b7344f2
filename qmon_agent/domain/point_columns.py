"""The points of one record, column by column: a row is made when somebody looks at rows.

A record may hold twenty thousand points, of which a rule looks at one metric, and mostly at none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, overload

from qmon_sdk.protocol.columns import Block, decode_column, rows_at, rows_of
from qmon_sdk.protocol.signals import FIELDS, Point

_FIELDS = {field.name: (place, field) for place, field in enumerate(FIELDS["point"])}
FEW = 8
"""Of so many metrics the rows are picked one by one; each time all columns are walked for it."""
Fact = tuple[str, str, float, int, int]
"""Of a point: metric, kind, value, count and time."""


class PointColumns(Sequence[Point]):
    """All points of some blocks, in order; what cannot be read raises FrameError when looked at."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        """Blocks of kind `point`."""
        self._blocks = tuple(blocks)
        self._rows: list[Point] | None = None
        self._of: dict[str, list[Point]] = {}
        self._columns: dict[str, list[Any]] = {}
        self._is_sorted = False

    def column(self, name: str) -> list[Any]:
        """One field of every point; not to be changed by who asks."""
        known = self._columns.get(name)
        if known is not None:
            return known
        place, field = _FIELDS[name]
        found: list[Any] = []
        for block in self._blocks:
            if place < len(block.columns):
                found += decode_column(block.columns[place], field.role, block.rows)
            else:
                found += [field.default] * block.rows
        self._columns[name] = found
        return found

    def of(self, metric: str) -> list[Point]:
        """The points of one metric, in order; rows are made of no other."""
        found = self._of.get(metric)
        if found is None and not self._is_sorted:
            if len(self._of) < FEW:
                found = self._of[metric] = self._picked(metric)
            else:
                self._sort()
                found = self._of.get(metric)
        return found or []

    def _picked(self, metric: str) -> list[Point]:
        names, start = self.column("metric"), 0
        found: list[Any] = []
        for block in self._blocks:
            of_block = islice(names, start, start + block.rows)
            places = [place for place, name in enumerate(of_block) if name == metric]
            start += block.rows
            if places:
                found += rows_at(block, places)
        return found

    def _sort(self) -> None:
        """Many metrics are asked for: all rows are made, once, and put together by theirs."""
        found: dict[str, list[Point]] = {}
        for point in self._made():
            found.setdefault(point.metric, []).append(point)
        # What was given away stays what it is: somebody may know a point by its id.
        self._of = found | self._of
        self._is_sorted = True

    def __len__(self) -> int:
        return sum(block.rows for block in self._blocks)

    def __iter__(self) -> Iterator[Point]:
        return iter(self._made())

    @overload
    def __getitem__(self, at: int) -> Point: ...
    @overload
    def __getitem__(self, at: slice) -> list[Point]: ...
    def __getitem__(self, at: int | slice) -> Point | list[Point]:
        return self._made()[at]

    def _made(self) -> list[Point]:
        if self._rows is None:
            self._rows = [row for block in self._blocks for row in rows_of(block)]  # type: ignore[misc]  # the kind of a block is the type of its rows
        return self._rows


def points_of(points: Iterable[Point], metric: str) -> Iterable[Point]:
    """The points of one metric, in order."""
    if isinstance(points, PointColumns):
        return points.of(metric)
    return (point for point in points if point.metric == metric)


def metrics_of(points: Iterable[Point]) -> Iterable[str]:
    """The name of each metric there is, once."""
    if isinstance(points, PointColumns):
        return dict.fromkeys(points.column("metric"))
    return dict.fromkeys(point.metric for point in points)


def facts_of(points: Iterable[Point]) -> Iterable[Fact]:
    """What is needed to know the latest value of each metric."""
    if isinstance(points, PointColumns):
        return zip(*map(points.column, ("metric", "kind", "value", "count", "time")), strict=True)
    return ((each.metric, each.kind, each.value, each.count, each.time) for each in points)
