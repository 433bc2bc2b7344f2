"""Puts batches on disk: rolls segments over, seals them, trims them, and lives with a full disk."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence

import msgspec

from .counts import Counts
from .dedup import Checkpoint, DedupIndex
from .options import JournalOptions
from .places import Places
from .records import HEAD_BYTES, Entry, Position, Record
from .recovery import CHECKPOINT, Recovered, save_sidecar
from .reserve import Reserve
from .retention import Trimmed, lost_to, to_drop
from .segments import OpenSegment, SegmentIndex, SegmentName, SyncFailedError


class Writer:
    """The end of the journal. One thread at a time: the journal's commit lock sees to it."""

    def __init__(
        self,
        places: Places,
        recovered: Recovered,
        *,
        options: JournalOptions,
        counts: Counts,
        dedup: DedupIndex,
    ) -> None:
        self.sealed = recovered.sealed
        self.lost: dict[str, int] = {}
        self._places = places
        self._disk = places.disk
        self._options = options
        self._counts = counts
        self._dedup = dedup
        self._reserve = Reserve(places, options=options, counts=counts)
        self._open = recovered.tail
        self._next_number = recovered.next_number
        self._through = recovered.through
        self.may_checkpoint = recovered.settled

    def store(self, batch: Sequence[Entry]) -> list[Record]:
        """Durable when it returns. Raises OSError with the batch not stored."""
        size = sum(HEAD_BYTES + len(entry.payload) for entry in batch)
        try:
            self._reserve.claim(size)
            records = self._write(batch, size)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                self._reserve.release()
            raise
        for entry in batch:
            self._dedup.add(entry.process, entry.sequence, entry.time)
        return records

    def trim(self, cursors: Mapping[str, Position], *, now: int) -> Trimmed:
        """Remove whole segments, oldest first; what a cursor loses by it is counted."""
        segments = size = 0
        lost: dict[str, int] = {}
        doomed = to_drop(
            self.sealed, cursors, options=self._options, now=now, total=self.sizes()[1]
        )
        for name, reason in list(doomed):
            index = self.sealed[name]
            if not self._drop(name):
                break
            segments += 1
            size += index.size
            self._counts.add(f"segments_trimmed_{reason}")
            unread = dict(lost_to(index, cursors))
            if reason != "passed":
                dropped = max(unread.values(), default=0) if cursors else index.records
                self._counts.add(f"records_dropped_{reason}", dropped)
            for cursor, records in unread.items():
                lost[cursor] = lost.get(cursor, 0) + records
        for cursor, records in lost.items():
            self.lost[cursor] = self.lost.get(cursor, 0) + records
        self._reserve.refill()
        return Trimmed(segments=segments, bytes=size, lost=lost)

    def seal_passed(self, cursors: Mapping[str, Position]) -> None:
        """End the open segment where nobody needs it any more, so that `trim` may remove it."""
        last = self._open.tally.last_id if self._open and self._open.tally.records else None
        if last is not None and cursors and min(p.record_id for p in cursors.values()) >= last:
            self._seal()

    def seal(self) -> None:
        """End the open segment: what comes from now on does not keep it any longer."""
        if self._open and self._open.tally.records:
            self._seal()

    def adopt(self, name: SegmentName, index: SegmentIndex) -> None:
        """A segment that start-up had left aside."""
        self.sealed[name] = index

    def oldest(self) -> Position:
        """The place before the first record that is kept."""
        opened = self._open
        names = [*dict(self.sealed), *([opened.name] if opened else [])]
        first = min(names, default=None)
        return Position(first.first_id - 1, first.number, 0) if first else Position()

    def end(self) -> Position:
        """The place behind the last record that is kept."""
        if self._open and self._open.tally.records:
            return Position(self._open.tally.last_id, self._open.name.number, self._open.size)
        for name in sorted(self.sealed, reverse=True):
            if self.sealed[name].records:
                return Position(self.sealed[name].last_id, name.number, self.sealed[name].size)
        return Position()

    def sizes(self) -> tuple[int, int]:
        """Segments and bytes."""
        opened, sealed = self._open, dict(self.sealed)
        open_size = opened.size if opened else 0
        return (
            len(sealed) + (opened is not None),
            open_size + sum(index.size for index in sealed.values()),
        )

    def free(self) -> int:
        """Bytes the file system has left; -1 where it does not say."""
        try:
            return self._reserve.free()
        except OSError:
            return -1

    def close(self) -> None:
        """Leave the last segment as it is: the next start reads it again."""
        if self._open:
            self._open.close()
            self._open = None

    def _write(self, batch: Sequence[Entry], size: int) -> list[Record]:
        segment = self._segment_for(batch, size)
        try:
            return segment.write(batch)
        except SyncFailedError:
            # What the disk did not promise once it may never hold, though it says so when asked
            # again: give the segment up and write the same records elsewhere.
            self._counts.add("failed_syncs")
            self._seal()
        return self._segment_for(batch, size).write(batch)

    def _segment_for(self, batch: Sequence[Entry], size: int) -> OpenSegment:
        if self._open and self._is_full(self._open, batch, size):
            self._seal()
        if self._open is None:
            name = SegmentName.new(self._next_number, batch[0].record_id)
            # Also when creating fails: a half-made file keeps its number.
            self._next_number += 1
            self._open = OpenSegment.create(self._disk, self._places.directory, name)
        return self._open

    def _is_full(self, segment: OpenSegment, batch: Sequence[Entry], size: int) -> bool:
        if not segment.tally.records:
            return False
        return (
            segment.size + size > self._options.segment_bytes
            or segment.tally.records + len(batch) > self._options.segment_records
        )

    def _seal(self) -> None:
        if self._open is None:
            return
        segment, self._open = self._open, None
        segment.close()
        index = segment.index()
        save_sidecar(self._places, segment.name, index, counts=self._counts)
        self.sealed[segment.name] = msgspec.structs.replace(index, seen=[])
        self._save_checkpoint()

    def _save_checkpoint(self) -> None:
        """All that is stored by now is in the index, and nothing that is not."""
        if not self.may_checkpoint:
            return  # it would claim to know segments that are still being read
        through = max(self.end().record_id, self._through)
        checkpoint = Checkpoint(through, self._dedup.rows())
        try:
            CHECKPOINT.save(self._disk, self._places.checkpoint, body=checkpoint)
        except OSError:
            self._counts.add("checkpoint_errors")
        else:
            self._through = through

    def _drop(self, name: SegmentName) -> bool:
        """Remove a segment; its sidecar stays until a checkpoint covers what it has seen."""
        directory = self._places.directory
        if self.sealed[name].last_id > self._through:
            self._save_checkpoint()
        if not self._places.remove(directory / name.file_name):
            return False
        if self.sealed[name].last_id <= self._through:
            self._places.remove(directory / name.index_name)
        del self.sealed[name]
        return True
