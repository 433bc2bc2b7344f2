"""From recovery to a writer, with what takes long going on in the background."""

from __future__ import annotations

import threading

from .counts import Counts
from .dedup import DedupIndex
from .options import JournalOptions
from .places import Places
from .recovery import Recovery
from .segments import SegmentName
from .writer import Writer


class Opening:
    """Opens a directory's journal. `settled` is set once every segment has been indexed."""

    def __init__(
        self,
        places: Places,
        *,
        options: JournalOptions,
        counts: Counts,
        dedup: DedupIndex,
        commit_lock: threading.Lock,
    ) -> None:
        self.settled = threading.Event()
        self._places = places
        self._options = options
        self._counts = counts
        self._dedup = dedup
        self._commit_lock = commit_lock
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def writer(self) -> tuple[Writer, int]:
        """A writer and the next record id. Raises OSError while the directory cannot be listed."""
        recovery = Recovery(
            self._places, options=self._options, counts=self._counts, dedup=self._dedup
        )
        recovered = recovery.run()
        writer = Writer(
            self._places,
            recovered,
            options=self._options,
            counts=self._counts,
            dedup=self._dedup,
        )
        self._finish(recovery, writer, recovered.unindexed)
        return writer, recovered.next_id

    def stop(self) -> None:
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def _finish(self, recovery: Recovery, writer: Writer, names: list[SegmentName]) -> None:
        if not names:
            self.settled.set()
            return
        self._thread = threading.Thread(
            target=self._index,
            args=(recovery, writer, names),
            name="qmon-journal-index",
            daemon=True,
        )
        self._thread.start()

    def _index(self, recovery: Recovery, writer: Writer, names: list[SegmentName]) -> None:
        for name in names:
            if self._stopping.is_set():
                return
            try:
                index = recovery.index(name)
            except OSError:  # counted; the next start tries again
                continue
            if index:
                with self._commit_lock:
                    writer.adopt(name, index)
        writer.may_checkpoint = True
        self.settled.set()
