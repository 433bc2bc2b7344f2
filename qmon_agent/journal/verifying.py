"""Is every byte of the journal what was written? Read only, also beside its agent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .disk import Disk, OsDisk
from .segments import SegmentName, segments_in
from .survey import Survey, survey

SETTLE_S = 0.5
"""The end of the newest segment may be in the middle of being written."""


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """Damage in one segment of the journal."""

    file: str
    first_id: int
    last_id: int
    """Records that may be affected; the last is -1 where nobody knows it."""
    records: int
    """Records that can be read in spite of it."""
    bytes: int
    """Bytes that are no record."""


def flaws(directory: Path, *, disk: Disk | None = None) -> Iterator[Flaw]:
    """Walk every record of every segment."""
    used = disk or OsDisk()
    names = segments_in(used.list(directory)) if directory.is_dir() else []
    bounds = (*(after.first_id for after in names[1:]), None)
    for name, bound in zip(names, bounds, strict=False):
        try:
            found = _surveyed(used, directory, name, bound=bound)
        except FileNotFoundError:
            continue  # trimmed since it was listed
        except OSError:
            yield _flaw(name, bound, records=0, size=0)
            continue
        if bad := found.skipped + found.unreadable + found.torn:
            yield _flaw(name, bound, records=found.tally.records, size=bad)


def _surveyed(disk: Disk, directory: Path, name: SegmentName, *, bound: int | None) -> Survey:
    found = survey(disk, directory, name, bound=bound)
    if bound is None and found.torn:
        time.sleep(SETTLE_S)
        found = survey(disk, directory, name, bound=bound)
    return found


def _flaw(name: SegmentName, bound: int | None, *, records: int, size: int) -> Flaw:
    return Flaw(
        file=name.file_name,
        first_id=name.first_id,
        last_id=-1 if bound is None else bound - 1,
        records=records,
        bytes=size,
    )
