"""Reading the journal, also from another process, while it grows and is trimmed."""

from __future__ import annotations

import errno
import time
from pathlib import Path

from .disk import Disk, DiskFile, OsDisk
from .records import START, Frame, Position, Record, Salt, Walk
from .segments import SegmentName, placed, segments_in
from .survey import HOPELESS

PATIENCE_S = 60.0
"""How long the readers of an agent ask again for what its disk does not read."""
# This process is short of something: the segment is not to blame and must not be passed over.
_OUR_TROUBLE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class JournalReader:
    """Gives records in order, each once, and remembers its place between calls.

    `missed` counts records that were trimmed or damaged before they were read, `skipped_bytes`
    the damage stepped over, `unreadable_segments` those passed over whole. What the disk does not
    read is given nothing of for `patience_s`, and is a damage only after that: as long as `waits`,
    there is more to read, which may be asked for again in a moment.
    """

    def __init__(
        self,
        directory: Path,
        start: Position | None = None,
        *,
        disk: Disk | None = None,
        patience_s: float = 0.0,
    ) -> None:
        self.position = start or START
        self.missed = 0
        self.skipped_bytes = 0
        self.unreadable_segments = 0
        self.waits = False
        self._directory = directory
        self._disk = disk or OsDisk()
        self._last_id = self.position.record_id
        self._left: SegmentName | None = None
        self._hole = False
        self._at: _Standing | None = None
        self._patience = Patience(patience_s)

    def read(self, until: int | None = None, max_bytes: int = 1 << 20) -> list[Record]:
        """Records up to and with the id `until`, about `max_bytes` of payload, at least one.

        Ask by `until` for what a commit has answered for; without it you get whatever is there,
        be it durable or not.
        """
        self.waits = False
        # Listed first: a segment that has a successor here will not grow any more.
        names = segments_in(self._disk.list(self._directory))
        if self._at:
            self._at.refresh(names)
        records: list[Record] = []
        room = max_bytes
        while room > 0 and (at := self._stand(names)):
            at.walk.is_patient = self._patience.is_left
            frame = at.next(self._last_id)
            if self._waits_for(at):
                break
            if frame is None:
                if not self._leave(at, names):
                    break
            elif until is not None and frame.entry.record_id > until:
                break
            else:
                records.append(self._take(at, frame))
                room -= max(1, len(frame.entry.payload))
        return records

    def close(self) -> None:
        if self._at:
            self._at.file.close()
            self._left, self._at = self._at.name, None

    def _waits_for(self, at: _Standing) -> bool:
        self.waits = self._patience.lasts(unreadable=at.unreadable())
        return self.waits

    def _stand(self, names: list[SegmentName]) -> _Standing | None:
        """Be in a segment: the one of our position, or the next that can be opened."""
        if self._at is None:
            for name in names:
                if self._is_ahead(name, names) and (at := self._enter(name, names)):
                    self._at = at
                if self._at or self.waits:
                    break
        return self._at

    def _is_ahead(self, name: SegmentName, names: list[SegmentName]) -> bool:
        if self._left is not None:
            return name > self._left
        if any(one.number == self.position.segment for one in names):
            return name.number >= self.position.segment
        bound = _bound(name, names)
        return bound is None or bound > self._last_id + 1

    def _enter(self, name: SegmentName, names: list[SegmentName]) -> _Standing | None:
        self._count_missed(name)
        try:
            file = self._disk.open(self._directory / name.file_name, "read")
        except OSError as error:
            if error.errno in _OUR_TROUBLE:
                raise
            self.waits = self._patience.lasts(unreadable=error.errno not in HOPELESS)
            if self.waits:
                return None
            self._left, self._hole = name, True
            # Trimmed since it was listed is no damage: the next one tells how much is missing.
            self.unreadable_segments += not isinstance(error, FileNotFoundError)
            return None
        offset = self.position.offset if name.number == self.position.segment else 0
        return _Standing(name, file, offset=offset, bound=_bound(name, names))

    def _count_missed(self, name: SegmentName) -> None:
        """Ids between two segments are lost only if something is known to be missing there."""
        before = self._left.number if self._left else self.position.segment
        if self.position == START and self._left is None:
            self._last_id = name.first_id - 1
        if (self._hole or name.number > before + 1) and name.first_id > self._last_id + 1:
            self.missed += name.first_id - self._last_id - 1
            self._last_id = name.first_id - 1
        self._hole = False

    def _take(self, at: _Standing, frame: Frame) -> Record:
        entry = frame.entry
        skipped = frame.start - at.walk.offset
        at.walk.take(frame)
        if skipped:
            self.skipped_bytes += skipped
            self.missed += entry.record_id - self._last_id - 1
        self._last_id = entry.record_id
        self.position = Position(entry.record_id, at.name.number, frame.end)
        return placed(entry, self.position)

    def _leave(self, at: _Standing, names: list[SegmentName]) -> bool:
        """Go on to the next segment, if there is one."""
        if not names or names[-1] <= at.name:
            return False
        self._hole = at.ends_in_damage()
        self.close()
        return True


class Patience:
    """Whether what could not be read is worth to be asked for again."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._since: float | None = None

    @property
    def is_left(self) -> bool:
        """Whether what cannot be read now will be worth it."""
        if self._since is None:
            return self._patience_s > 0
        return time.monotonic() < self._since + self._patience_s

    def lasts(self, *, unreadable: bool) -> bool:
        """To be told of each look; no where all was read, or has not been for too long."""
        if not unreadable or not self._patience_s:
            self._since = None
            return False
        self._since = self._since or time.monotonic()
        return self.is_left


class _Standing:
    """The segment a reader is in."""

    def __init__(
        self, name: SegmentName, file: DiskFile, *, offset: int, bound: int | None
    ) -> None:
        self.name = name
        self.file = file
        self.walk = Walk(file, Salt.of(name.salt), offset=offset)
        self._bound = bound
        self._unreadable = 0

    def refresh(self, names: list[SegmentName]) -> None:
        """What was read ahead may have been written anew since; a successor sets a bound."""
        self.walk.refresh()
        self._bound = _bound(self.name, names)

    def next(self, last_id: int) -> Frame | None:
        """The next record this segment owns, behind `last_id`."""
        while frame := self.walk.peek():
            if self._bound is not None and frame.entry.record_id >= self._bound:
                return None
            if frame.entry.record_id > last_id:
                return frame
            self.walk.take(frame)
        return None

    def unreadable(self) -> bool:
        """Whether the disk has not read since this was asked last; what it has is forgotten."""
        known, self._unreadable = self._unreadable, self.walk.unreadable
        if known == self._unreadable:
            return False
        self.walk.refresh()
        return True

    def ends_in_damage(self) -> bool:
        try:
            return self.file.size() > self.walk.offset
        except OSError:
            return True


def _bound(name: SegmentName, names: list[SegmentName]) -> int | None:
    """The first id that a segment behind this one owns."""
    return min((one.first_id for one in names if one > name), default=None)
