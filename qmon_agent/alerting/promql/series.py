"""The samples of one series, oldest first."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from struct import pack, unpack

from .labels import Labels

STALE: float = unpack("<d", bytes.fromhex("020000000000f07f"))[0]
"""The value that says that a series has ended, told from other NaN by its bits."""
_STALE_BYTES = pack("<d", STALE)


def is_stale(value: float) -> bool:
    """Whether it is the marker."""
    return value != value and pack("<d", value) == _STALE_BYTES  # noqa: PLR0124 - only NaN is not itself


class Series:
    """The samples of one label set, oldest first; times in milliseconds."""

    __slots__ = (
        "_reset_at",
        "_stales",
        "is_regular",
        "labels",
        "reach",
        "times",
        "told_at",
        "values",
    )

    def __init__(self, labels: Labels, *, reach: int = 0) -> None:
        self.labels = labels
        self.reach = reach
        self.told_at = 0
        """Of a counter that tells what it grew: when it last did."""
        self.is_regular = False
        """Whether it also tells that it grew by nothing; one that does not goes on as it was."""
        self.times: array[int] = array("q")
        self.values: array[float] = array("d")
        self._stales = 0
        self._reset_at = 0

    def add(self, time: int, value: float) -> bool:
        """Take a sample; no if it is not newer than the last."""
        times = self.times
        if times:
            if time <= times[-1]:
                return False
            if value < self.values[-1] or self._stales:
                self._reset_at = time
        if is_stale(value):
            self._stales += 1
        times.append(time)
        self.values.append(value)
        return True

    def at(self, time: int, lookback: int) -> float | None:
        """The newest sample of at most `lookback` ago; none where the series has ended."""
        place = self.place(time)
        if place < 0 or self.times[place] < time - lookback:
            return None
        value = self.values[place]
        return None if self._stales and is_stale(value) else value

    def place(self, time: int) -> int:
        """Where the newest sample is that is not younger."""
        times = self.times
        if times and times[-1] <= time:
            return len(times) - 1
        return bisect_right(times, time) - 1

    def between(self, start: int, end: int) -> tuple[array[int], array[float], bool] | None:
        """Samples from `start` to `end`, both inclusive, and whether the values may fall."""
        times = self.times
        first, last = bisect_left(times, start), self.place(end) + 1
        if first >= last:
            return None
        times, values = times[first:last], self.values[first:last]
        if self._stales:
            kept = [pair for pair in zip(times, values, strict=True) if not is_stale(pair[1])]
            if not kept:
                return None
            times, values = (array("q", [t for t, _ in kept]), array("d", [v for _, v in kept]))
        return times, values, self._reset_at > times[0]

    def amend(self, time: int, value: float) -> bool:
        """Say the last sample anew, if it is of this time or later."""
        if not self.times or time > self.times[-1] or is_stale(self.values[-1]):
            return False
        self.values[-1] = value
        return True

    def trim(self, before: int) -> int:
        """Leave out what is older; the answer is how many samples went."""
        gone = bisect_left(self.times, before)
        if gone:
            if self._stales:
                self._stales -= sum(map(is_stale, self.values[:gone]))
            del self.times[:gone]
            del self.values[:gone]
        return gone
