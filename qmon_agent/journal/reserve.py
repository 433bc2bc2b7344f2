"""Room on the disk that is nobody's until it is needed."""

from __future__ import annotations

import errno

from .counts import Counts
from .disk import write_all
from .options import JournalOptions
from .places import Places


class Reserve:
    """Leaves the others their share, and holds a file to give up when the disk is full anyway."""

    def __init__(self, places: Places, *, options: JournalOptions, counts: Counts) -> None:
        self._places = places
        self._disk = places.disk
        self._options = options
        self._counts = counts
        self._is_held = self._is_there()
        self.refill()

    def claim(self, size: int) -> None:
        """Raises OSError(ENOSPC) where writing `size` would eat into what is kept for others."""
        if self.free() - size < self._options.reserve_bytes:
            raise OSError(errno.ENOSPC, "the free-space reserve is reached")

    def free(self) -> int:
        return self._disk.free(self._places.directory)

    def release(self) -> None:
        if self._is_held and self._places.remove(self._places.reserve):
            self._is_held = False
            self._counts.add("reserve_released")

    def refill(self) -> None:
        """Take the file back once there is room enough for twice of it."""
        wanted = self._options.emergency_bytes
        if self._is_held or not wanted:
            return
        try:
            if self.free() - self._options.reserve_bytes < 2 * wanted:
                return
            file = self._disk.open(self._places.reserve, "create")
            try:
                # Zeros, not a hole: only written bytes are room that can be given back.
                write_all(file, bytes(wanted), 0)
            finally:
                file.close()
        except OSError:
            self._places.remove(self._places.reserve)
        else:
            self._is_held = True

    def _is_there(self) -> bool:
        try:
            file = self._disk.open(self._places.reserve, "read")
            try:
                return file.size() >= self._options.emergency_bytes
            finally:
                file.close()
        except OSError:
            return False
