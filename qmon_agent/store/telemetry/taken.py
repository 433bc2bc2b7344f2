"""What is taken on the disk, beside the segments and in them, and what that leaves for them."""

from __future__ import annotations

import os
from pathlib import Path

from .options import TelemetryOptions

SEGMENTS_SHARE = 10
"""A tenth of the budget is the segments', however large the journal or the hot file has grown."""


def room_of(options: TelemetryOptions, folder: str) -> int | None:
    """Bytes the segments, which are in `folder`, may take together; None if nobody minds."""
    if options.disk_bytes is None:
        return None
    directory = Path(options.directory)
    beside = bytes_under(directory, leaving=directory / folder) + bytes_under(Path(options.journal))
    return max(options.disk_bytes - beside, options.disk_bytes // SEGMENTS_SHARE)


def bytes_under(directory: Path, *, leaving: Path | None = None) -> int:
    """Of all files, as long as they say; those that go meanwhile count nothing."""
    out = os.fspath(leaving) if leaving else ""
    total, rooms = 0, [os.fspath(directory)]
    while rooms:
        try:
            entries = [*os.scandir(rooms.pop())]
        except OSError:
            continue
        for entry in entries:
            try:
                if not entry.is_dir(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
                elif entry.path != out:
                    rooms.append(entry.path)
            except OSError:
                continue
    return total
