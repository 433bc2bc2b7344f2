"""How much of a journal lies behind a place, without reading it: its last segment is walked."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from .disk import OsDisk
from .segments import segments_in
from .survey import survey


def records_behind(directory: Path, record_id: int) -> int:
    """How many records a journal nobody writes has behind one; those that are trimmed not."""
    disk = OsDisk()
    names = segments_in(disk.list(directory)) if directory.is_dir() else []
    if not names:
        return 0
    last = names[-1].first_id - 1
    with suppress(OSError):  # then those of the last segment are not counted
        last = max(last, survey(disk, directory, names[-1], bound=None).tally.last_id)
    return max(0, last - max(record_id, names[0].first_id - 1))
