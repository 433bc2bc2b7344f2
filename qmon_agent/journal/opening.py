"""From recovery to a writer, with what takes long going on in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .counts import Counts
from .dedup import DedupIndex
from .errors import JournalInUseError
from .options import JournalOptions
from .places import Places
from .recovery import Recovery
from .segments import SegmentIndex, SegmentName
from .writer import Writer

_PAUSE_S = 0.25


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
        self._left: tuple[Recovery, Writer, list[SegmentName]] | None = None

    def writer(self, *, is_patient: bool) -> tuple[Writer, int]:
        """A writer and the next record id; `finish` has to follow.

        Raises OSError while the directory cannot be listed, and, patient, anything in it read.
        """
        recovery = Recovery(
            self._places,
            options=self._options,
            counts=self._counts,
            dedup=self._dedup,
            is_patient=is_patient,
        )
        recovered = recovery.run()
        writer = Writer(
            self._places,
            recovered,
            options=self._options,
            counts=self._counts,
            dedup=self._dedup,
        )
        self._left = recovery, writer, recovered.unindexed
        return writer, recovered.next_id

    def stop(self) -> None:
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def finish(self) -> None:
        """Index in the background what the writer was made without."""
        left, self._left = self._left, None
        if left is None or not left[2]:
            self.settled.set()
            return
        self._thread = threading.Thread(
            target=self._index,
            args=left,
            name="qmon-journal-index",
            daemon=True,
        )
        self._thread.start()

    def _index(self, recovery: Recovery, writer: Writer, names: list[SegmentName]) -> None:
        until = time.monotonic() + self._options.patience_s
        for name in names:
            index = self._indexed(recovery, name, until=until)
            if self._stopping.is_set():
                return
            if index:
                with self._commit_lock:
                    writer.adopt(name, index)
        writer.may_checkpoint = True
        self.settled.set()

    def _indexed(
        self, recovery: Recovery, name: SegmentName, *, until: float
    ) -> SegmentIndex | None:
        """None: it is garbage, or cannot be read, which is counted; the next start tries again."""
        while not self._stopping.is_set():
            recovery.is_patient = time.monotonic() < until
            try:
                return recovery.index(name)
            except OSError:
                if not recovery.is_patient:
                    return None
            self._stopping.wait(_PAUSE_S)
        return None


def locked(places: Places) -> Callable[[], None]:
    """A lock that cannot be made is no reason not to start; one that is held is."""
    try:
        return places.disk.lock(places.lock)
    except BlockingIOError:
        raise JournalInUseError(places.directory) from None
    except OSError:
        return lambda: None
