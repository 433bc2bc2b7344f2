"""How a journal is, at one moment."""

from __future__ import annotations

import msgspec

from .records import Position


class JournalStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a journal is. `trouble`: why the disk does not take at the moment, or nothing."""

    bytes: int
    segments: int
    oldest: Position
    committed: Position
    pending_records: int
    pending_bytes: int
    free_bytes: int
    trouble: str
    is_settled: bool
    processes: int
    counts: dict[str, int]
    lost: dict[str, int]
