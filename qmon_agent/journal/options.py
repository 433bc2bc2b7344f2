"""What may be chosen about a journal; every bound it keeps is a number here."""

from __future__ import annotations

import msgspec

MIB = 1024 * 1024


class JournalOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bounds of one journal.

    Its disk should have about `max_bytes + dead_bytes + reserve_bytes + emergency_bytes`.
    """

    segment_bytes: int = 64 * MIB
    # Also by count, so that the scan of the last segment stays short when frames are tiny.
    segment_records: int = 100_000
    max_bytes: int = 8192 * MIB
    max_age_s: float = 7 * 86_400.0
    # What taking may hold in memory, above all while the disk is full.
    memory_bytes: int = 64 * MIB
    # One write and one sync at most this large, so that a nearly full disk still makes progress.
    batch_bytes: int = 8 * MIB
    # The journal leaves this much of the file system to everybody else.
    reserve_bytes: int = 256 * MIB
    # A file given up when the disk is full all the same, so that cursors and state can be saved.
    emergency_bytes: int = 8 * MIB
    dead_bytes: int = 64 * MIB
    # Of an oversize payload only the beginning is worth keeping.
    dead_payload_bytes: int = MIB
    dedup_processes: int = 16_384
    dedup_intervals: int = 262_144
    dedup_silence_s: float = 7 * 86_400.0
    # What opening may read before it answers; the rest is indexed in the background.
    open_scan_bytes: int = 96 * MIB
    # How long opening asks again for what the disk does not read at the moment, before it goes on
    # without: what is forgotten then is the places of readers, and what has been stored already.
    patience_s: float = 0.0
