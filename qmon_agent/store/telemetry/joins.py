"""Which small segments are worth joining: pure arithmetic over the list.

Segments of one table and one day are joined when they follow each other, so that the name of what
they become says exactly what is in it. A large one waits until there is as much beside it: each row
is written again a few times in its life, not with every export.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from .manifest import Segment
from .rollups import ROLLUPS
from .stretches import stretch_of

NS = 1_000_000_000
SETTLED_NS = 3_600 * NS
"""So long after a day's last segment was written nothing much is expected for that day."""
MANY = 8
"""Segments of a day that still grows are joined in such numbers."""
FEW = 2


NARROW = 1_024
"""Bytes in memory of a row that sorts well, however many there are: beyond, all must fit."""
GUESS = 16
"""How much larger than on the disk a row is in memory, where the list does not say."""


class Limits(msgspec.Struct, frozen=True):
    """How large what is joined may become: rows, and bytes in memory where the rows are wide."""

    rows: int
    bytes: int


def next_join(segments: Iterable[Segment], limits: Limits, *, now: int) -> tuple[Segment, ...]:
    """The segments to join next, in their order; none if there is nothing to win."""
    for inside in _by_folder(segments).values():
        least = FEW if _is_settled(inside, now) else MANY
        for run in _runs(inside, limits):
            if found := _worth_it(run, limits, least=least):
                return found
    return ()


def _by_folder(segments: Iterable[Segment]) -> dict[tuple[str, str], list[Segment]]:
    folders: dict[tuple[str, str], list[Segment]] = {}
    listed = list(segments)
    waiting = {(each.table, each.day) for each in listed if each.unrolled}
    for segment in listed:
        # What is still to be rolled up would come between.
        of = ROLLUPS[segment.table].source if segment.table in ROLLUPS else ""
        if stretch_of(segment.file) and (of, segment.day) not in waiting:
            folders.setdefault((segment.table, segment.day), []).append(segment)
    for inside in folders.values():
        inside.sort(key=_place)
    return folders


def _place(segment: Segment) -> tuple[int, int]:
    stretch = stretch_of(segment.file)
    return (stretch.first, stretch.part) if stretch else (0, 0)


def _is_settled(inside: Sequence[Segment], now: int) -> bool:
    today = datetime.fromtimestamp(now / NS, tz=UTC).date().isoformat()
    return inside[0].day < today and max(each.written for each in inside) < now - SETTLED_NS


def _runs(inside: Sequence[Segment], limits: Limits) -> Iterator[list[Segment]]:
    """Stretches of neighbours none of which is large already, or only a part of something."""
    run: list[Segment] = []
    for segment in inside:
        stretch = stretch_of(segment.file)
        if stretch is None or stretch.part or segment.unrolled or not _fits([segment], limits):
            yield run
            run = []
        else:
            run.append(segment)
    yield run


def _worth_it(run: Sequence[Segment], limits: Limits, *, least: int) -> tuple[Segment, ...]:
    """The longest stretch of neighbours, from the earliest on, that is worth writing again."""
    for begin in range(len(run) - least + 1):
        end = begin
        while end < len(run) and _fits(run[begin : end + 1], limits):
            end += 1
        taken = run[begin:end]
        largest = max((each.rows for each in taken), default=0)
        if len(taken) >= least and 2 * largest <= sum(each.rows for each in taken):
            return tuple(taken)
    return ()


def _fits(taken: Sequence[Segment], limits: Limits) -> bool:
    if sum(each.rows for each in taken) > limits.rows:
        return False
    if all(_width(each) <= NARROW for each in taken):
        return True
    return sum(each.rows * _width(each) for each in taken) <= limits.bytes


def _width(segment: Segment) -> int:
    return segment.width or GUESS * segment.bytes // max(1, segment.rows)
