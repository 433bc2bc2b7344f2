"""Named, durable places in the journal, one per reader."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from .counts import Counts
from .disk import Disk
from .places import Places
from .records import Position
from .sealed import DamagedFileError, SealedFile
from .survey import may_pass

_FILE = SealedFile(b"qmoncur1", Position)
_SUFFIX = ".cursor"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class Cursors:
    """Saved atomically, never moved backwards. Safe from any thread.

    A reader whose records must wait for it saves START before it begins: only cursors that were
    saved hold back `trim`.
    """

    def __init__(self, places: Places, *, counts: Counts) -> None:
        self._places = places
        self._disk: Disk = places.disk
        self._counts = counts
        self._lock = threading.Lock()
        self._known: dict[str, Position] = {}

    def restore(self, oldest: Position, *, is_patient: bool = False) -> None:
        """Read what is saved; what is damaged becomes `oldest`. Raises OSError: no list of them.

        `is_patient`: also for one of them that may be read in a moment.
        """
        listed = self._places.list(self._places.cursors)
        with self._lock:
            for text in listed:
                if text.endswith(_SUFFIX):
                    self._read(text.removesuffix(_SUFFIX), oldest, is_patient=is_patient)

    def load(self, name: str) -> Position | None:
        """Where to go on; None: never saved. A damaged cursor has become the oldest kept place."""
        return self._known.get(name)

    def save(self, name: str, position: Position) -> None:
        """Durable when it returns; raises OSError when the disk refuses, with the old one kept."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a cursor: letters, digits, . _ -")
        with self._lock:
            known = self._known.get(name)
            if known is not None and position <= known:
                return
            _FILE.save(self._disk, self._path(name), body=position)
            self._known[name] = position

    def remove(self, name: str) -> None:
        """This reader is gone for good and holds back nothing any more."""
        with self._lock:
            self._known.pop(name, None)
            self._places.remove(self._path(name))

    def all(self) -> dict[str, Position]:
        with self._lock:
            return dict(self._known)

    def _read(self, name: str, oldest: Position, *, is_patient: bool) -> None:
        path = self._path(name)
        try:
            self._known[name] = _FILE.load(self._disk, path)
        except FileNotFoundError:
            return
        except (OSError, DamagedFileError) as error:
            if is_patient and isinstance(error, OSError) and may_pass(error):
                raise
            self._counts.add("damaged_cursors")
            self._places.put_away(path)
            self._known[name] = oldest

    def _path(self, name: str) -> Path:
        return self._places.cursors / f"{name}{_SUFFIX}"
