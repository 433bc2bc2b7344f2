"""Which segments have been kept long enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .manifest import Segment
from .schema import BY_NAME, RESOURCES, TABLES

NS = 1_000_000_000


def expired(
    segments: Iterable[Segment], keep_s: Mapping[str, float], *, now: int
) -> frozenset[str]:
    """Files whose youngest row is older than its kind is kept.

    A row that claims to be from the future ages from the day it was written. Who spoke is known
    until the last of what was written with it is gone.
    """
    return frozenset(
        segment.file
        for segment in segments
        if (keep := _kept_for(segment, keep_s)) is not None
        and _youngest(segment) < now - int(keep * NS)
    )


def _kept_for(segment: Segment, keep_s: Mapping[str, float]) -> float | None:
    if segment.table != RESOURCES.name:
        return keep_s.get(BY_NAME[segment.table].kind)
    return max(keep_s[kind] for kind in TABLES) if keep_s.keys() >= TABLES.keys() else None


def _youngest(segment: Segment) -> int:
    if segment.table == RESOURCES.name:
        return segment.written
    return min(segment.newest, segment.written)
