"""Who holds the list of segments: several change it, one after the other, each change whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from . import manifest as manifests
from .manifest import Manifest

LATELY_S = 120.0
"""Longer than whoever read the list before may need to open what it named."""


class Ledger:
    """The list as it is now. Any thread may read it; a change is on the disk before it is seen."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self.manifest = manifest
        self.changes = 0
        """How often it has changed: answers of before may be wrong."""
        self._directory = directory
        self._changing = threading.Lock()
        self._retired: dict[str, float] = {}

    def change(self, made: Callable[[Manifest], Manifest]) -> bool:
        """Make the next list of this one and keep it; an OSError leaves the one there was.

        Returns whether the next one is another one.
        """
        with self._changing:
            changed = made(self.manifest)
            if changed is self.manifest:
                return False
            manifests.save(self._directory, changed)
            self.manifest = changed
            self.changes += 1
            return True

    @contextmanager
    def still(self) -> Iterator[Manifest]:
        """The list, which does not change for as long as this lasts."""
        with self._changing:
            yield self.manifest

    def retire(self, files: Collection[str]) -> None:
        """These are listed no more, and are to stay for a while."""
        self._retired |= dict.fromkeys(files, time.monotonic())

    def lately(self) -> Collection[str]:
        """What was retired a moment ago; what was earlier is forgotten."""
        since = time.monotonic() - LATELY_S
        self._retired = {file: at for file, at in self._retired.items() if at > since}
        return self._retired.keys()
