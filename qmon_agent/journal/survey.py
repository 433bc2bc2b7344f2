"""Reading one segment from end to end, to know again what it holds."""

from __future__ import annotations

import errno
from pathlib import Path

import msgspec

from .disk import Disk
from .records import LEADS_BATCH, Salt, Walk
from .sealed import SealedFile
from .segments import SegmentIndex, SegmentName, Tally

SIDECAR = SealedFile(b"qmonidx1", SegmentIndex)
# What no second try will mend. Anything else (EIO, EMFILE) may pass: the file stays where it is.
HOPELESS = frozenset(
    {
        errno.EISDIR,
        errno.EACCES,
        errno.EPERM,
        errno.ELOOP,
        errno.ENOENT,  # listed and not there: a link to nowhere
        errno.ENOTDIR,
        errno.ENXIO,
    }
)
# What the same call may answer otherwise in a moment.
_PASSING = frozenset(
    {
        errno.EIO,
        errno.ETIMEDOUT,
        errno.EAGAIN,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
    }
)


def may_pass(error: OSError) -> bool:
    """Whether it is worth to wait for it."""
    return error.errno in _PASSING


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """One segment as it was found."""

    tally: Tally
    end: int
    file_size: int
    skipped: int
    unreadable: int
    batch_start: int

    @property
    def torn(self) -> int:
        """Bytes behind the last good record."""
        return max(0, self.file_size - self.end)

    @property
    def is_garbage(self) -> bool:
        return not self.tally.records and self.file_size > 0 and not self.unreadable

    def index(self) -> SegmentIndex:
        return self.tally.index(size=self.file_size, skipped=self.skipped + self.torn)


def survey(disk: Disk, directory: Path, name: SegmentName, *, bound: int | None) -> Survey:
    """Walk all records with an id below `bound`, the first id of the segment behind it."""
    file = disk.open(directory / name.file_name, "read")
    try:
        walk = Walk(file, Salt.of(name.salt))
        tally = Tally()
        batch_start = 0
        while frame := walk.peek():
            entry = frame.entry
            if bound is not None and entry.record_id >= bound:
                break
            walk.take(frame)
            if entry.record_id <= tally.last_id:
                continue
            tally.add(entry, frame.checksum)
            if frame.flags & LEADS_BATCH:
                batch_start = frame.start
        return Survey(
            tally=tally,
            end=walk.offset,
            file_size=walk.offset if frame else file.size(),
            skipped=walk.skipped,
            unreadable=walk.unreadable,
            batch_start=batch_start,
        )
    finally:
        file.close()
