"""What was found out about bytes that come again and again, within one budget for all who do so.

A sender says at every turn what its series are called. Who remembers what came of those bytes pays
a look-up from then on. When there is no room, what is new is not remembered and costs what it did;
what nobody asked for during a whole turn makes room.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from qmon_agent.ingest.shares import Level

MOST_BYTES = 128 << 20
_PART = 8  # of what the process may have, at most
_LEAST_BYTES = 1 << 20

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recollections:
    """The budget. Told when memory is little: all is let go of, and from then on it is half."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.most = most
        self.used = 0
        self.lock = threading.Lock()
        self._is_tight = False
        self._all: weakref.WeakSet[Recollection[Any, Any]] = weakref.WeakSet()

    def new(self, size_of: Callable[[K], int]) -> Recollection[K, Any]:
        """`size_of`: about how many bytes what is remembered under a key takes, the key too."""
        made: Recollection[K, Any] = Recollection(self, size_of)
        self._all.add(made)
        return made

    def squeeze(self, level: Level) -> None:
        """Memory has become little, or is no more."""
        if level is not Level.FREE and not self._is_tight:
            self.most = max(_LEAST_BYTES, self.most // 2)
            for one in [*self._all]:
                one.forget()
        self._is_tight = level is not Level.FREE

    def has_room_for(self, size: int) -> bool:
        return not self._is_tight and self.used + size <= self.most


class Recollection(Generic[K, V]):
    """What one reader remembers; asked by one thread at a time, forgotten by any."""

    def __init__(self, budget: Recollections, size_of: Callable[[K], int]) -> None:
        self.fresh: dict[K, V] = {}
        """Those asked for in this turn: a reader in a hurry looks here first."""
        self._before: dict[K, V] = {}
        self._budget = budget
        self._size_of = size_of
        self._turned_away = 0

    def __len__(self) -> int:
        return len(self.fresh) + len(self._before)

    def again(self, key: K) -> V | None:
        """What is known, of what is not in `fresh`."""
        found = self._before.pop(key, None)
        if found is not None:
            self.fresh[key] = found
        return found

    def add(self, key: K, value: V) -> None:
        """Remember it, if there is room."""
        size, budget = self._size_of(key), self._budget
        with budget.lock:
            if budget.has_room_for(size):
                budget.used += size
                self.fresh[key] = value
                return
        self._turned_away += 1
        if self._turned_away > len(self):
            self._turn()

    def forget(self) -> None:
        """All of it."""
        with self._budget.lock:
            self._let_go(self.fresh)
            self._let_go(self._before)
            self.fresh, self._before = {}, {}

    def _turn(self) -> None:
        """As many were turned away as there are: who was not asked for since the last time goes."""
        with self._budget.lock:
            self._turned_away = 0
            self._let_go(self._before)
            self._before, self.fresh = self.fresh, {}

    def _let_go(self, known: dict[K, V]) -> None:
        self._budget.used -= sum(map(self._size_of, known))


def budget_of(process_bytes: int) -> int:
    """Of a process that may have so much; 0 where it has no limit."""
    return min(MOST_BYTES, process_bytes // _PART) if process_bytes else MOST_BYTES
