"""From whatever a directory holds to a journal that takes: start never fails and never waits."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TypeVar

import msgspec

from .counts import Counts
from .dedup import Checkpoint, DedupIndex
from .disk import patiently
from .options import JournalOptions
from .places import Places
from .records import HEAD_BYTES
from .sealed import DamagedFileError, SealedFile
from .segments import OpenSegment, SegmentIndex, SegmentName, segments_in
from .survey import HOPELESS, SIDECAR, Survey, may_pass, survey

CHECKPOINT = SealedFile(b"qmondup1", Checkpoint)
# How far ids jump over a last segment nobody can read: more than it can have held.
_UNKNOWN = 1 << 20
_Body = TypeVar("_Body")


class Recovered(msgspec.Struct, kw_only=True):
    """What start-up knows. `unindexed` is still to be read; `settled`: not for de-duplication."""

    sealed: dict[SegmentName, SegmentIndex] = {}
    unindexed: list[SegmentName] = []
    tail: OpenSegment | None = None
    next_id: int = 1
    next_number: int = 1
    settled: bool = True
    through: int = 0


class Recovery:
    """Reads checkpoint and sidecars, then the last segment, then as much as the budget allows.

    As long as it is patient, what cannot be read and may be in a moment is raised.
    """

    def __init__(
        self,
        places: Places,
        *,
        options: JournalOptions,
        counts: Counts,
        dedup: DedupIndex,
        is_patient: bool = False,
    ) -> None:
        self.is_patient = is_patient
        self._places = places
        self._disk = places.disk
        self._options = options
        self._counts = counts
        self._dedup = dedup
        self._bounds: dict[SegmentName, int] = {}
        self._found = Recovered()

    def run(self) -> Recovered:
        listed = self._places.list(self._places.directory)
        names = segments_in(listed)
        self._remember(names)
        self._load_checkpoint()
        self._drop_leftovers(listed, names)
        bare = [name for name in names[:-1] if not self._load_sidecar(name)]
        if names and not self._load_sidecar(names[-1]):
            self._open_tail(names[-1])
        self._index_some(bare)
        return self._found

    def index(self, name: SegmentName) -> SegmentIndex | None:
        """Read a whole sealed segment and write its sidecar.

        None: it was garbage and is put away. Raises OSError: it stays, for a better moment.
        """
        try:
            found = survey(self._disk, self._places.directory, name, bound=self._bounds.get(name))
        except OSError as error:
            if self._put_away_if_hopeless(name, error):
                return None
            raise
        if found.is_garbage:
            self._places.put_away(self._path(name))
            return None
        self._raise_if_unread(name, found)
        self._count(found)
        if found.unreadable:
            raise _unread(name)
        index = found.index()
        self._dedup.merge(index.seen)
        save_sidecar(self._places, name, index, counts=self._counts)
        return msgspec.structs.replace(index, seen=[])

    def _remember(self, names: list[SegmentName]) -> None:
        bound: int | None = None
        for name in reversed(names):
            if bound is not None:
                self._bounds[name] = bound
            bound = name.first_id if bound is None else min(bound, name.first_id)
        if names:
            self._found.next_number = names[-1].number + 1
        self._found.next_id = max([1, *(name.first_id for name in names)])

    def _load_checkpoint(self) -> None:
        checkpoint = self._load(self._places.checkpoint, CHECKPOINT)
        if checkpoint is not None:
            self._dedup.merge(checkpoint.rows)
            self._found.through = checkpoint.through
            self._pass(checkpoint.through)

    def _load(self, path: Path, file: SealedFile[_Body]) -> _Body | None:
        """None: not there, or counted and out of the way."""
        try:
            return file.load(self._disk, path)
        except FileNotFoundError:
            return None
        except DamagedFileError:
            self._counts.add("damaged_files")
            self._places.put_away(path)
        except OSError as error:
            if self.is_patient and may_pass(error):
                raise
            self._counts.add("unreadable_files")
            if error.errno in HOPELESS:
                self._places.put_away(path)
        return None

    def _drop_leftovers(self, listed: list[str], names: list[SegmentName]) -> None:
        """Half-made files, and sidecars that outlived their segment for the sake of their index."""
        alive = {name.index_name for name in names}
        for text in listed:
            path = self._places.directory / text
            if text.endswith(".tmp"):
                self._places.remove(path)
            elif text.endswith(".idx") and text not in alive:
                self._adopt(path)

    def _adopt(self, path: Path) -> None:
        index = self._load(path, SIDECAR)
        if index is None:
            return
        self._dedup.merge(index.seen)
        self._pass(index.last_id)
        if index.last_id <= self._found.through:
            self._places.remove(path)

    def _load_sidecar(self, name: SegmentName) -> bool:
        index = self._load(self._places.directory / name.index_name, SIDECAR)
        if index is None:
            return False
        if index.last_id > self._found.through:
            self._dedup.merge(index.seen)
        self._found.sealed[name] = msgspec.structs.replace(index, seen=[])
        self._pass(index.last_id)
        return True

    def _open_tail(self, name: SegmentName) -> None:
        """The segment that may be unfinished: cut its torn end; go on in it if it is sound."""
        found = self._read_tail(name)
        if found is None:
            return
        try:
            self._pass(found.tally.last_id)
            self._dedup.merge(found.index().seen)
            self._count(found)
            self._settle_tail(name, found)
        except OSError as error:
            self._give_up_tail(name, error)

    def _read_tail(self, name: SegmentName) -> Survey | None:
        try:
            found = survey(self._disk, self._places.directory, name, bound=None)
            self._raise_if_unread(name, found)
        except OSError as error:
            if self.is_patient and may_pass(error):
                raise
            self._give_up_tail(name, error)
            return None
        return found

    def _give_up_tail(self, name: SegmentName, error: OSError) -> None:
        self._found.next_id += _UNKNOWN
        if not self._put_away_if_hopeless(name, error):
            self._leave(name)

    def _settle_tail(self, name: SegmentName, found: Survey) -> None:
        if found.torn or found.skipped or found.unreadable:
            # Ids that may have been seen by a reader before they were damaged are not used again.
            self._found.next_id += found.torn // HEAD_BYTES + 1
        if found.is_garbage:
            self._places.put_away(self._path(name))
            return
        if found.unreadable:
            self._leave(name)
            return
        file = self._disk.open(self._path(name), "write")
        tail = OpenSegment(file, name, tally=found.tally, size=found.end)
        tail.skipped = found.skipped
        try:
            patiently(lambda: tail.rewrite(found.batch_start))
        except OSError:
            tail.close()
            raise
        if found.torn or found.skipped:
            tail.close()
            self._seal(name, tail.index())
        else:
            self._found.tail = tail

    def _seal(self, name: SegmentName, index: SegmentIndex) -> None:
        save_sidecar(self._places, name, index, counts=self._counts)
        self._found.sealed[name] = msgspec.structs.replace(index, seen=[])

    def _index_some(self, bare: list[SegmentName]) -> None:
        """Newest first: what comes twice most likely came lately."""
        budget = self._options.open_scan_bytes
        for name in reversed(bare):
            budget -= self._size(name)
            if budget < 0 or not self._index_now(name):
                self._leave(name)

    def _index_now(self, name: SegmentName) -> bool:
        try:
            index = self.index(name)
        except OSError:
            return False
        if index:
            self._found.sealed[name] = index
            self._pass(index.last_id)
        return True

    def _leave(self, name: SegmentName) -> None:
        self._found.unindexed.append(name)
        if self._bounds.get(name, self._found.next_id) - 1 > self._found.through:
            self._found.settled = False

    def _put_away_if_hopeless(self, name: SegmentName, error: OSError) -> bool:
        """Anything else stays where it is, for a better moment."""
        self._counts.add("unreadable_segments")
        return error.errno in HOPELESS and self._places.put_away(self._path(name))

    def _raise_if_unread(self, name: SegmentName, found: Survey) -> None:
        if found.unreadable and self.is_patient:
            raise _unread(name)

    def _count(self, found: Survey) -> None:
        self._counts.add("torn_bytes", found.torn)
        self._counts.add("torn_tails", 1 if found.torn else 0)
        self._counts.add("skipped_bytes", found.skipped)
        self._counts.add("damaged_segments", 1 if found.skipped or found.unreadable else 0)

    def _size(self, name: SegmentName) -> int:
        try:
            file = self._disk.open(self._path(name), "read")
            try:
                return file.size()
            finally:
                file.close()
        except OSError:
            return 0

    def _pass(self, record_id: int) -> None:
        self._found.next_id = max(self._found.next_id, record_id + 1)

    def _path(self, name: SegmentName) -> Path:
        return self._places.directory / name.file_name


def _unread(name: SegmentName) -> OSError:
    return OSError(errno.EIO, "parts of it cannot be read", name.file_name)


def save_sidecar(places: Places, name: SegmentName, index: SegmentIndex, *, counts: Counts) -> None:
    """A sidecar only saves time: without one the segment is read again."""
    try:
        SIDECAR.save(places.disk, places.directory / name.index_name, body=index)
    except OSError:
        counts.add("sidecar_errors")
