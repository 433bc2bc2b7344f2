"""What a journal counts about itself."""

from __future__ import annotations

import threading
from collections import Counter


class Counts:
    """Named numbers that only grow; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str, n: int = 1) -> None:
        if n:
            with self._lock:
                self._counts[name] += n

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def read(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)
