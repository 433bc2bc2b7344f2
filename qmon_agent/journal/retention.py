"""Which segments go: those every reader has passed, and the oldest when a bound is hit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from .options import JournalOptions
from .records import Position
from .segments import SegmentIndex, SegmentName

_SECOND = 1_000_000_000
Shelf = Mapping[SegmentName, SegmentIndex]


class Trimmed(msgspec.Struct, frozen=True, kw_only=True):
    """What one `trim` removed; `lost` counts, by cursor, records it had not read yet."""

    segments: int = 0
    bytes: int = 0
    lost: dict[str, int] = {}


def to_drop(
    shelf: Shelf, cursors: Mapping[str, Position], *, options: JournalOptions, now: int, total: int
) -> Iterator[tuple[SegmentName, str]]:
    """Oldest first, each with its reason; `total` counts what is still open too."""
    passed = min((place.record_id for place in cursors.values()), default=0)
    too_old = now - round(options.max_age_s * _SECOND)
    for name in sorted(shelf):
        index = shelf[name]
        if index.last_id <= passed:
            reason = "passed"
        elif total > options.max_bytes:
            reason = "bytes"
        elif index.last_time < too_old:
            reason = "age"
        else:
            return
        total -= index.size
        yield name, reason


def lost_to(index: SegmentIndex, cursors: Mapping[str, Position]) -> Iterator[tuple[str, int]]:
    """How many records of a segment each cursor has not read."""
    for name, place in cursors.items():
        unread = min(index.records, index.last_id - place.record_id)
        if unread > 0:
            yield name, unread
