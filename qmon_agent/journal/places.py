"""The folders of a journal, made ready whatever stands in their way."""

from __future__ import annotations

import os
from pathlib import Path

from .counts import Counts
from .disk import Disk, patiently


class Places:
    """Where things are; what does not belong goes to quarantine and is counted."""

    def __init__(self, disk: Disk, directory: Path, *, counts: Counts) -> None:
        self.disk = disk
        self.directory = directory
        self.cursors = directory / "cursors"
        self.dead = directory / "dead"
        self.quarantine = directory / "quarantine"
        self.lock = directory / "lock"
        self.reserve = directory / "reserve"
        self.checkpoint = directory / "dedup"
        self._counts = counts

    def prepare(self) -> None:
        """Never raises: what cannot be made now is tried again by whoever needs it."""
        self._ensure(self.directory, away=self.directory.with_name(self.directory.name + ".away"))
        self._ensure(self.quarantine, away=self.directory / "quarantine.away")
        for place in (self.cursors, self.dead):
            self._ensure(place, away=self._free_name(place.name))

    def list(self, directory: Path) -> list[str]:
        """Raises OSError: a folder that cannot be listed is not an empty one."""
        return patiently(lambda: self.disk.list(directory))

    def put_away(self, path: Path) -> bool:
        """Move something unreadable into quarantine; True: it is no longer in the way."""
        try:
            self.disk.rename(path, self._free_name(path.name))
            self.disk.sync_directory(path.parent)
        except OSError:
            self._counts.add("quarantine_errors")
            return False
        self._counts.add("quarantined")
        return True

    def remove(self, path: Path) -> bool:
        try:
            self.disk.unlink(path)
        except FileNotFoundError:
            return True
        except OSError:
            self._counts.add("unlink_errors")
            return False
        return True

    def _ensure(self, place: Path, *, away: Path) -> None:
        for _ in range(2):
            try:
                self.disk.make_directory(place)
                self.disk.sync_directory(place.parent)
                return
            except OSError:
                self._step_aside(place, away)

    def _step_aside(self, place: Path, away: Path) -> None:
        """A file where a directory has to be."""
        try:
            self.disk.list(place)
        except NotADirectoryError:
            try:
                self.disk.rename(place, away)
                self._counts.add("quarantined")
            except OSError:
                self._counts.add("quarantine_errors")
        except OSError:
            self._counts.add("directory_errors")

    def _free_name(self, name: str) -> Path:
        return self.quarantine / f"{name}.{os.urandom(4).hex()}"
