"""Which segments are rolled up, where the list that said so is lost: their names tell it.

A rollup is named like the segment that it is of, and what was joined like the stretch that it
holds. The coarsest tier is named last, so where it is, the others had been.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from qmon_agent.domain.tiers import ROLLED
from qmon_agent.store.telemetry.manifest import Segment
from qmon_agent.store.telemetry.rollups import ROLLUPS, tiers_of
from qmon_agent.store.telemetry.stretches import Stretch, stretch_of

from .export import Mark


class Found(msgspec.Struct, frozen=True):
    """A segment and what it says of itself."""

    segment: Segment
    mark: Mark


def whole_rollups(found: Iterable[Found]) -> list[Found]:
    """All but rollups that were not finished; and each says whether it is to be rolled up."""
    listed = list(found)
    done: dict[tuple[str, str], list[Stretch]] = {}
    for each in listed:
        source, stretch = _of(each.segment)
        if source and each.segment.table == tiers_of(source)[-1].table.name:
            done.setdefault((source, each.segment.day), []).append(stretch)
    kept = []
    for each in listed:
        source, stretch = _of(each.segment)
        others = done.get((source or each.segment.table, each.segment.day), ())
        is_done = any(_same(stretch, other) for other in others)
        if is_done or not source:
            waits = each.segment.table in ROLLED and not is_done
            segment = msgspec.structs.replace(each.segment, unrolled=waits)
            kept.append(Found(segment, each.mark))
    return kept


def _of(segment: Segment) -> tuple[str, Stretch]:
    """The table a rollup is of, or nothing; and the generations that are in the segment."""
    rollup = ROLLUPS.get(segment.table)
    stretch = stretch_of(segment.file) or Stretch(0, 0)
    return rollup.source if rollup else "", stretch


def _same(one: Stretch, other: Stretch) -> bool:
    """Whether they have generations in common: what is joined is rolled up, or not, as a whole."""
    is_near = one.first <= other.last and other.first <= one.last
    return is_near and (one.part == other.part or not one.part or not other.part)
