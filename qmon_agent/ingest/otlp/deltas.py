"""Cumulative series as deltas: what was told last is remembered, within bounds.

A reading is taken at once and can be taken back: a message that could not be kept is sent again,
and shall mean the same then.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class Told(msgspec.Struct, frozen=True):
    """The last that is known of a series."""

    start: int
    time: int
    value: Any
    seen: float


class Change(msgspec.Struct, frozen=True):
    """One step of a series, to be taken back."""

    key: Hashable
    before: Told | None
    after: Told


class Series(Generic[T]):
    """All cumulative series there are; may be used from several threads."""

    def __init__(
        self,
        *,
        most: int = 200_000,
        expire_s: float = 3_600.0,
        began: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`began`: what started before that, in nanoseconds since 1970, had told others already."""
        self.lock = threading.RLock()
        self.forgotten = 0
        self._most = most
        self._expire_s = expire_s
        self._began = began
        self._clock = clock
        self._known: OrderedDict[Hashable, Told] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def advance(self, key: Hashable, told: Told, changes: list[Change]) -> tuple[bool, Any]:
        """Whether this is news, and what was told before; `None` where it counts in full.

        The first of a series counts in full if it began after us, else it is only remembered; and
        so does one that began anew. What is not newer than the last has been counted already.
        """
        before = self._known.get(key)
        if before is not None and told.time <= before.time:
            return False, None
        changes.append(Change(key, before, told))
        self._known[key] = told
        self._known.move_to_end(key)
        if before is None:
            return told.start >= self._began, None
        return True, None if told.start > before.start else before.value

    def now(self) -> float:
        return self._clock()

    def take_back(self, changes: list[Change]) -> None:
        """As it was before, but for what has gone on since."""
        with self.lock:
            for change in reversed(changes):
                if self._known.get(change.key) is not change.after:
                    continue
                if change.before is None:
                    del self._known[change.key]
                else:
                    self._known[change.key] = change.before

    def forget(self) -> None:
        """Let go of those not heard of for long, and of the oldest beyond the bound."""
        with self.lock:
            oldest = self._clock() - self._expire_s
            while self._known:
                key, told = next(iter(self._known.items()))
                if len(self._known) <= self._most and told.seen >= oldest:
                    return
                del self._known[key]
                self.forgotten += 1
