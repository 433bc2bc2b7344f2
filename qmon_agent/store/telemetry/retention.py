"""Which segments have been kept long enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .manifest import Segment
from .schema import BY_NAME

NS = 1_000_000_000


def expired(
    segments: Iterable[Segment], keep_s: Mapping[str, float], *, now: int
) -> frozenset[str]:
    """Files whose youngest row is older than its kind is kept.

    A row that claims to be from the future ages from the day it was written.
    """
    return frozenset(
        segment.file
        for segment in segments
        if (keep := keep_s.get(BY_NAME[segment.table].kind)) is not None
        and min(segment.newest, segment.written) < now - int(keep * NS)
    )
