"""How the worker's lives went: how long to wait before the next one, and how careful it must be."""

from __future__ import annotations

CAREFUL_AFTER = 3


class Lives:
    """Counts lives in a row that got nowhere; one that stored something, or lasted, was good."""

    def __init__(self, waits_s: tuple[float, ...]) -> None:
        self._waits_s = waits_s
        self.restarts = 0
        self._fruitless = 0

    @property
    def wait_s(self) -> float:
        return self._waits_s[min(self._fruitless, len(self._waits_s) - 1)]

    @property
    def careful(self) -> bool:
        """Something it reads may kill it: it shall find out what."""
        return self._fruitless >= CAREFUL_AFTER

    def ended(self, *, good: bool) -> None:
        self.restarts += 1
        self._fruitless = 0 if good else self._fruitless + 1
