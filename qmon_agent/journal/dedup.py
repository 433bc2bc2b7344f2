"""Which sequences of which process are on disk already, in bounded memory."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping

import msgspec

from .options import JournalOptions

# A process, when it last spoke, and its interval bounds as little-endian u64.
Row = tuple[bytes, int, bytes, bytes]
_SECOND = 1_000_000_000
_MANY = 64  # a process with more than this part of all intervals


class Intervals:
    """A set of whole numbers as sorted, closed, never touching intervals."""

    __slots__ = ("ends", "starts")

    def __init__(self, starts: bytes = b"", ends: bytes = b"") -> None:
        self.starts = array("Q", starts)
        self.ends = array("Q", ends)

    def __len__(self) -> int:
        return len(self.starts)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.starts, number) - 1
        return at >= 0 and number <= self.ends[at]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.starts, self.ends, strict=True)

    def add(self, first: int, last: int) -> int:
        """Take in an interval; answers by how many the count of intervals has grown."""
        before = len(self)
        if before and first == self.ends[-1] + 1:  # nearly always
            self.ends[-1] = last
            return 0
        low = bisect_right(self.starts, first)
        if low and self.ends[low - 1] + 1 >= first:
            low -= 1
        high = bisect_right(self.starts, last + 1)
        if low < high:
            first = min(first, self.starts[low])
            last = max(last, self.ends[high - 1])
        self.starts[low:high] = array("Q", [first])
        self.ends[low:high] = array("Q", [last])
        return len(self) - before

    def forget_lowest(self, number: int) -> None:
        # All at once: each time, what is left is moved.
        del self.starts[:number], self.ends[:number]


class Spoken:
    """One process: what it sent, and when it last did."""

    __slots__ = ("intervals", "time")

    def __init__(self, time: int, intervals: Intervals) -> None:
        self.time = time
        self.intervals = intervals


class DedupIndex:
    """Interval sets by process. Safe from any thread.

    Over its bounds it forgets: first whole processes, those silent for longest, then the lower
    half of the intervals of one that has many, again of who is silent for longest. Forgetting may
    let an old retry in twice; it never refuses what was not stored. What was forgotten is counted.
    """

    def __init__(self, options: JournalOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._spoken: dict[bytes, Spoken] = {}
        self._size = 0
        self.forgotten = 0

    def __contains__(self, key: tuple[bytes, int]) -> bool:
        process, sequence = key
        with self._lock:
            spoken = self._spoken.get(process)
            return spoken is not None and sequence in spoken.intervals

    def __len__(self) -> int:
        return len(self._spoken)

    def add(self, process: bytes, sequence: int, time: int) -> None:
        with self._lock:
            self._add(process, time, ((sequence, sequence),))
            self._fit(time)

    def merge(self, rows: list[Row]) -> None:
        """Take in what another index, or a segment, has seen."""
        with self._lock:
            for process, time, starts, ends in rows:
                self._add(process, time, Intervals(starts, ends))
            if rows:
                self._fit(max(row[1] for row in rows))

    def rows(self) -> list[Row]:
        with self._lock:
            return rows_of(self._spoken)

    def _add(
        self, process: bytes, time: int, pairs: Intervals | tuple[tuple[int, int], ...]
    ) -> None:
        spoken = self._spoken.get(process)
        if spoken is None:
            spoken = self._spoken[process] = Spoken(time, Intervals())
        spoken.time = max(spoken.time, time)
        for first, last in pairs:
            self._size += spoken.intervals.add(first, last)

    def _fit(self, now: int) -> None:
        if len(self._spoken) > self._options.dedup_processes:
            self._forget_the_silent(now)
        while self._size > self._options.dedup_intervals:
            intervals = self._first_to_forget().intervals
            number = max(1, len(intervals) // 2)
            intervals.forget_lowest(number)
            self._size -= number
            self.forgotten += number

    def _first_to_forget(self) -> Spoken:
        """Who has many and spoke last long ago; else who has most.

        A message of another protocol is an interval each, and ten minutes of it are a process.
        """
        many = self._options.dedup_intervals // _MANY
        crowded = [one for one in self._spoken.values() if len(one.intervals) > many]
        if crowded:
            return min(crowded, key=lambda one: one.time)
        return max(self._spoken.values(), key=lambda one: len(one.intervals))

    def _forget_the_silent(self, now: int) -> None:
        """An eighth at a time, so that a flood of processes does not sort on every record."""
        oldest = sorted(self._spoken, key=lambda process: self._spoken[process].time)
        silent_since = now - round(self._options.dedup_silence_s * _SECOND)
        keep = self._options.dedup_processes * 7 // 8
        for rank, process in enumerate(oldest):
            enough = len(oldest) - rank <= keep
            if enough and self._spoken[process].time >= silent_since:
                return
            self._size -= len(self._spoken.pop(process).intervals)
            self.forgotten += 1


class Checkpoint(msgspec.Struct, frozen=True, array_like=True):
    """The whole index up to a record: start-up needs no more than this and the last segment."""

    through: int
    rows: list[Row]


def rows_of(spoken: Mapping[bytes, Spoken]) -> list[Row]:
    return [
        (process, one.time, one.intervals.starts.tobytes(), one.intervals.ends.tobytes())
        for process, one in spoken.items()
    ]
