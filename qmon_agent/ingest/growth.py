"""What numbers of other systems grew by: many tell only how much there has been since they began.

One law for all of them, counters and histograms, whoever sends them (decision 0016):

- A reading that is no newer than the last of its series tells nothing.
- It grew by what is more than the last time; what has become less began again, and so did what
  says that it began after the last reading: that counts in full.
- The first reading counts in full if it is known to have begun while we were listening, because
  it says when, or was not there when its sender was asked before. Else it is only remembered.
- A series that was silent, or said to have ended, goes on from where it was when it is heard of
  again; one that was forgotten is never taken for a new one.

What was read is remembered at once and can be taken back: a message that could not be kept comes
again, and shall mean the same then.
"""

from __future__ import annotations

import threading
import time as clocks
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from hashlib import blake2b
from math import inf, isfinite

import msgspec

from qmon_agent.ingest.heaps import Heap


class Told(msgspec.Struct, frozen=True, gc=False):
    """The last that is known of a series."""

    start: int
    time: int
    value: float | Heap
    seen: float


class Change(msgspec.Struct, frozen=True, gc=False):
    """One step of a series, to be taken back."""

    key: Hashable
    before: Told | None
    after: Told


class Growth:
    """All cumulative series of one source; may be used from several threads, under its lock."""

    def __init__(
        self,
        *,
        began: int,
        most: int = 200_000,
        expire_s: float = inf,
        clock: Callable[[], float] = clocks.monotonic,
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

    def of_number(
        self,
        key: Hashable,
        value: float,
        *,
        changes: list[Change],
        time: int,
        start: int = 0,
        is_new: bool = False,
    ) -> float | None:
        """What a counter grew by; None if nobody knows, or it was known already.

        `time` and `start` in nanoseconds, `start` 0 if it is not said; `is_new` if it was not
        there when its sender was asked before.
        """
        if not isfinite(value):
            return None
        is_news, before = self._advance(key, value, changes, time, start, is_new)
        if not is_news:
            return None
        return value - before if isinstance(before, float) and before <= value else value

    def of_heap(
        self, key: Hashable, heap: Heap, *, changes: list[Change], **told: int
    ) -> Heap | None:
        """What a histogram grew by; the rest as above."""
        when = (told["time"], told.get("start", 0), bool(told.get("is_new")))
        is_news, before = self._advance(key, heap, changes, *when)
        if not is_news:
            return None
        return (heap.since(before) if isinstance(before, Heap) else None) or heap

    def _advance(  # noqa: PLR0917 - the same
        self,
        key: Hashable,
        value: float | Heap,
        changes: list[Change],
        time: int,
        start: int,
        is_new: bool,  # noqa: FBT001
    ) -> tuple[bool, float | Heap | None]:
        """Whether this is news, and what to compare it with: nothing if it counts in full."""
        known = self._known
        before = known.get(key)
        if before is None:
            after = Told(start, time, value, self._clock())
            known[key] = after  # at the end, where the youngest are
            changes.append(Change(key, before, after))
            # Said to begin when it was read first, it began nobody knows when.
            return is_new or max(1, self._began) <= start < time, None
        if time <= before.time:
            return False, None
        known[key] = after = Told(start or before.start, time, value, self._clock())
        known.move_to_end(key)
        changes.append(Change(key, before, after))
        began_again = start > before.start and start >= before.time
        return True, None if began_again else before.value

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
            changes.clear()

    def forget(self) -> None:
        """Let go of those not heard of for long, and of the oldest beyond the bound.

        What began before one of them was last heard of may be it: from now on it is not new.
        """
        with self.lock:
            oldest = self._clock() - self._expire_s
            while self._known:
                key, told = next(iter(self._known.items()))
                if len(self._known) <= self._most and told.seen >= oldest:
                    return
                del self._known[key]
                self._began = max(self._began, told.time + 1)
                self.forgotten += 1


def series_key(labels: Mapping[str, str]) -> bytes:
    """A digest of all labels, in any order: what is remembered of a series is small."""
    told = "\0".join([text for pair in sorted(labels.items()) for text in pair])
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest()
