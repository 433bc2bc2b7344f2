"""Which instance wants to be judged again when, although nothing new was heard of it."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K")


class Wakes(Generic[K]):
    """A queue by time. Being woken early is harmless: whoever is, asks again.

    So a later wish than the one queued changes nothing, and a series that moves its deadline with
    every point costs one entry, not one per point.
    """

    def __init__(self) -> None:
        self._queue: list[tuple[int, int, K]] = []
        self._queued: dict[K, int] = {}
        self._number = 0

    def wish(self, key: K, when: int) -> None:
        """Wake the key at this moment at the latest."""
        before = self._queued.get(key)
        if before is not None and before <= when:
            return
        self._queued[key] = when
        self._number += 1
        heappush(self._queue, (when, self._number, key))

    def judged(self, key: K, now: int, *, wake: int | None) -> None:
        """It was judged at this moment: what was wished for until now is done, and this is next."""
        before = self._queued.get(key)
        if before is not None and before <= now:
            del self._queued[key]
        if wake is not None:
            self.wish(key, wake)

    def due(self, now: int) -> list[K]:
        """Take out everybody whose moment has come."""
        woken = []
        while self._queue and self._queue[0][0] <= now:
            when, _, key = heappop(self._queue)
            if self._queued.get(key) == when:
                del self._queued[key]
                woken.append(key)
        return woken

    def forget(self, key: K) -> None:
        """Never wake this one."""
        self._queued.pop(key, None)

    def next(self) -> int | None:
        """When the first is to be woken, or a moment before that."""
        return self._queue[0][0] if self._queue else None
