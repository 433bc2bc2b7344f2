"""What counters of other systems grew by: they tell only how much there has been since they began.

A value lower than the one before is a counter that began again. Of a counter that is seen for the
first time nobody knows what came before, unless it says when it began, or its sender is known.
What was found out holds only once it is on disk: until `commit`, asking again answers the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from math import inf, isfinite

import msgspec

from qmon_agent.ingest.spreading import MOST, Spread

Part = tuple[float, float]


class Heap(msgspec.Struct, frozen=True, kw_only=True):
    """A histogram since it began: how many are between which bounds, and the sum of all."""

    parts: Mapping[Part, float]
    total: float = 0.0
    shape: Hashable = None
    """Heaps of different shapes have been cut at different places, and cannot be compared."""


def heap_below(below: Mapping[float, float], total: float) -> Heap:
    """Of upper bounds, and how many are at most so large, the lower ones included."""
    parts: dict[Part, float] = {}
    lower, so_far = -inf, 0.0
    for upper in sorted(below):
        parts[lower, upper] = max(0.0, below[upper] - so_far)
        lower, so_far = upper, below[upper]
    return Heap(parts=parts, total=total, shape=frozenset(parts))


_NOTHING = Heap(parts={})


class Cumulative:
    """The last value of every series, the longest silent forgotten beyond a bound."""

    def __init__(self, max_series: int) -> None:
        self._max = max_series
        self._last: OrderedDict[Hashable, tuple[int, float | Heap]] = OrderedDict()
        self._ahead: dict[Hashable, tuple[int, float | Heap] | None] = {}

    def __len__(self) -> int:
        return len(self._last)

    def growth(
        self, key: Hashable, value: float, *, time: int, created: int = 0, is_new: bool = False
    ) -> float | None:
        """What it grew by since the last time; `None` if nobody knows, or it was known already.

        `is_new`: it did not exist the last time its sender was asked.
        """
        if not isfinite(value):
            return None
        known = self._known(key)
        if known is not None and time <= known[0]:
            return None
        self._ahead[key] = (time, value)
        if known is None or not isinstance(known[1], float):
            return value if is_new else None
        before = known[1]
        began_again = value < before or created > known[0]
        return value if began_again else value - before

    def heap_growth(
        self, key: Hashable, heap: Heap, *, time: int, created: int = 0, is_new: bool = False
    ) -> tuple[Spread, float] | None:
        """What a histogram grew by, and the sum of that; `None` as above."""
        known = self._known(key)
        if known is not None and time <= known[0]:
            return None
        self._ahead[key] = (time, heap)
        before = known[1] if known is not None else None
        if not isinstance(before, Heap):
            return _heaped(heap, _NOTHING) if is_new else None
        if created > (known[0] if known else 0):
            return _heaped(heap, _NOTHING)
        if before.shape != heap.shape:
            return None
        return _heaped(heap, _NOTHING if _began_again(heap, before) else before)

    def forget(self, key: Hashable) -> None:
        """It has ended: what comes under its name begins anew."""
        self._ahead[key] = None

    def commit(self) -> None:
        """What was found out is on disk."""
        for key, state in self._ahead.items():
            if state is None:
                self._last.pop(key, None)
            else:
                self._last[key] = state
                self._last.move_to_end(key)
        self._ahead.clear()
        while len(self._last) > self._max:
            self._last.popitem(last=False)

    def undo(self) -> None:
        """What was found out is not on disk: it comes again."""
        self._ahead.clear()

    def _known(self, key: Hashable) -> tuple[int, float | Heap] | None:
        return self._ahead[key] if key in self._ahead else self._last.get(key)


def _began_again(heap: Heap, before: Heap) -> bool:
    return any(heap.parts.get(part, 0) < n for part, n in before.parts.items())


def _heaped(heap: Heap, before: Heap) -> tuple[Spread, float]:
    result = Spread(buckets={})
    so_far, told = 0.0, 0
    for part in sorted(heap.parts):
        # Rounded as they are summed up, so that parts of counts do not get lost.
        so_far += min(heap.parts[part] - before.parts.get(part, 0), MOST)
        count = round(so_far) - told
        result.add(*part, count=count)
        told += max(0, count)
    return result, heap.total - before.total
