"""Who is reading: so that a file that is given up is removed when nobody reads it any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Readers:
    """Counts those that read. From any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._begun = 0
        self._reading: set[int] = set()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Whoever begins in here may read what was listed then, to the end."""
        with self._changed:
            self._begun += 1
            number = self._begun
            self._reading.add(number)
        try:
            yield
        finally:
            with self._changed:
                self._reading.discard(number)
                self._changed.notify_all()

    def wait_out(self, timeout_s: float) -> bool:
        """Wait until all are done that read now; no, if some of them take longer."""
        with self._changed:
            begun = self._begun
            return self._changed.wait_for(
                lambda: all(number > begun for number in self._reading), timeout=timeout_s
            )
