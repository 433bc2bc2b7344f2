"""Finding the frame that kills the worker: written down before it is stored, crossed out after."""

from __future__ import annotations

from pathlib import Path

import msgspec

FILE = "suspect.json"
ENOUGH = 2
CAREFUL_FRAMES = 500


class Mark(msgspec.Struct, frozen=True):
    """A record and how often the worker did not come back from it."""

    record_id: int = 0
    deaths: int = 0


class Suspect:
    """In careful mode frames are stored one by one, each named on the disk while it is."""

    def __init__(self, directory: Path, *, careful: bool) -> None:
        self._left = CAREFUL_FRAMES if careful else 0
        self._path = directory / FILE
        self._mark = _read(self._path)

    @property
    def careful(self) -> bool:
        """Not for ever: one by one is slow, and whatever it was may be behind us."""
        return self._left > 0

    def convicted(self, record_id: int) -> bool:
        """Say whether the worker died on this record twice, with nothing beside it."""
        return self._mark.record_id == record_id and self._mark.deaths >= ENOUGH

    def watch(self, record_id: int) -> None:
        """About to store it: should we die now, this is counted against it."""
        self._left -= 1
        deaths = self._mark.deaths if self._mark.record_id == record_id else 0
        self._mark = Mark(record_id, deaths + 1)
        self._path.write_bytes(msgspec.json.encode(self._mark))

    def clear(self) -> None:
        """It is stored, or failed in a way that was not its fault."""
        if self._mark != Mark():
            self._path.unlink(missing_ok=True)
            self._mark = Mark()


def _read(path: Path) -> Mark:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Mark)
    except (OSError, msgspec.DecodeError):
        return Mark()
