"""The samples that expressions may ask for: of series that somebody selects, and no older ones."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from struct import pack, unpack

import msgspec

from .labels import NAME, Labels, labels_of
from .tree import Selector

STALE: float = unpack("<d", bytes.fromhex("020000000000f07f"))[0]
"""The value that says that a series has ended, told from other NaN by its bits."""
_STALE_BYTES = pack("<d", STALE)
_SAMPLE_BYTES = 16
_SERIES_BYTES = 1_000
"""What a series costs beside its samples, about."""
_TIDY_EVERY = 64


def is_stale(value: float) -> bool:
    """Whether it is the marker."""
    return value != value and pack("<d", value) == _STALE_BYTES  # noqa: PLR0124 - only NaN is not itself


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept at most; what is over is left out, and counted."""

    series: int = 100_000
    size: int = 64 << 20
    """In bytes."""


class Series:
    """The samples of one label set, oldest first; times in milliseconds."""

    __slots__ = ("_reset_at", "_stales", "labels", "reach", "times", "values")

    def __init__(self, labels: Labels, *, reach: int = 0) -> None:
        self.labels = labels
        self.reach = reach
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


class Selection:
    """The series that one selector means, kept up as series come and go."""

    def __init__(self, selector: Selector) -> None:
        self.name = selector.name
        self.series: list[Series] = []
        self.reach = 0
        self._tests: list[tuple[str, Callable[[str], bool]]] = [
            (matcher.name, matcher.test()) for matcher in selector.matchers
        ]

    def means(self, labels: Labels) -> bool:
        if self.name and labels.get(NAME) != self.name:
            return False
        return all(test(labels.get(name)) for name, test in self._tests)


class Window:
    """All series; call `watch` before there are samples, for what nobody watches is not kept."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._series: dict[Labels, Series] = {}
        self._selections: dict[Selector, Selection] = {}
        self._by_name: dict[str, list[Selection]] = {}
        self._samples = 0
        self._since_tidy = 0
        self._fresh: list[tuple[Labels, int, float]] = []
        self.left_out = 0
        """Samples there was no room for."""
        self.late = 0
        """Samples no newer than the last of their series."""

    def __len__(self) -> int:
        return len(self._series)

    def __iter__(self) -> Iterator[Series]:
        return iter(self._series.values())

    @property
    def size(self) -> int:
        """About how many bytes it holds."""
        return self._samples * _SAMPLE_BYTES + len(self._series) * _SERIES_BYTES

    @property
    def names(self) -> set[str]:
        """The names that are watched; an empty one is every name."""
        return set(self._by_name)

    def is_watched(self, name: str) -> bool:
        """Whether somebody may mean a series of this name."""
        return name in self._by_name or "" in self._by_name

    def watch(self, wanted: Iterable[tuple[Selector, int]]) -> None:
        """Keep what these selectors mean for as long as they look back, and nothing else."""
        reaches: dict[Selector, int] = {}
        for selector, reach in wanted:
            reaches[selector] = max(reach, reaches.get(selector, 0))
        self._selections = {
            selector: self._selections.get(selector) or Selection(selector) for selector in reaches
        }
        self._by_name = {}
        for selector, selection in self._selections.items():
            selection.series, selection.reach = [], reaches[selector]
            self._by_name.setdefault(selector.name, []).append(selection)
        kept, self._series = self._series, {}
        self._samples = 0
        for labels, series in kept.items():
            if self._admit(labels, series):
                self._samples += len(series.times)

    def selected(self, selector: Selector) -> list[Series]:
        """The series a selector means; it has to be watched."""
        found = self._selections.get(selector)
        return found.series if found else []

    def add(self, labels: Labels, time: int, value: float) -> bool:
        """Take a sample; no if nobody wants it, it is late, or there is no room."""
        series = self._series.get(labels)
        if series is None:
            if not self.is_watched(labels.get(NAME)):
                return False
            fresh = Series(labels)
            if not self._has_room() or not self._admit(labels, fresh):
                return False
            series = fresh
        elif self.size >= self._bounds.size:
            self.left_out += 1
            return False
        if not series.add(time, value):
            self.late += 1
            return False
        self._samples += 1
        self._since_tidy += 1
        self._fresh.append((labels, time, value))
        return True

    def put(self, labels: Labels, time: int, value: float) -> None:
        """Take a sample, or correct the last one where it is not newer."""
        series = self._series.get(labels)
        if series is not None and series.amend(time, value):
            self._fresh.append((labels, series.times[-1], value))
        else:
            self.add(labels, time, value)

    def last(self, labels: Labels) -> float:
        """The newest value of a series, 0 of one that is not there or has ended."""
        series = self._series.get(labels)
        if series is None or not series.times or is_stale(series.values[-1]):
            return 0.0
        return series.values[-1]

    def tidy(self, now: int) -> None:
        """Let go of what nobody may ask for any more; cheap when called often."""
        if self._since_tidy < _TIDY_EVERY and self._since_tidy < len(self._series):
            return
        self._since_tidy = 0
        ended = []
        for labels, series in self._series.items():
            self._samples -= series.trim(now - series.reach)
            if not series.times:
                ended.append(labels)
        self._forget(ended)

    def dump(self) -> bytes:
        """All samples, to be kept beside the place they were read up to."""
        self._fresh = []
        return msgspec.msgpack.encode(
            [
                (series.labels.pairs, series.times.tobytes(), series.values.tobytes())
                for series in self
                if series.times
            ]
        )

    @property
    def fresh(self) -> int:
        """How many samples came since the last dump."""
        return len(self._fresh)

    def dump_fresh(self) -> bytes:
        """Those, to be kept beside the dump."""
        return msgspec.msgpack.encode(
            [(key.pairs, time, value) for key, time, value in self._fresh]
        )

    def load_fresh(self, dumped: bytes) -> None:
        """Take them back, after the dump they came after."""
        kept = msgspec.msgpack.decode(
            dumped, type=list[tuple[tuple[tuple[str, str], ...], int, float]]
        )
        for pairs, time, value in kept:
            self.put(labels_of(pairs), time, value)

    def load(self, dumped: bytes) -> None:
        """Take back what was dumped; what nobody watches any more is left out."""
        kept = msgspec.msgpack.decode(
            dumped, type=list[tuple[tuple[tuple[str, str], ...], bytes, bytes]]
        )
        for pairs, times, values in kept:
            labels = labels_of(pairs)
            moments: array[int] = array("q", times)
            for time, value in zip(moments, array("d", values), strict=True):
                self.add(labels, time, value)

    def _has_room(self) -> bool:
        if len(self._series) < self._bounds.series and self.size < self._bounds.size:
            return True
        self.left_out += 1
        return False

    def _admit(self, labels: Labels, series: Series) -> bool:
        names = dict.fromkeys((labels.get(NAME), ""))
        places = [selection for name in names for selection in self._by_name.get(name, ())]
        wanted = [selection for selection in places if selection.means(labels)]
        if not wanted:
            return False
        series.reach = max(selection.reach for selection in wanted)
        for selection in wanted:
            selection.series.append(series)
        self._series[labels] = series
        return True

    def _forget(self, ended: list[Labels]) -> None:
        if not ended:
            return
        for labels in ended:
            del self._series[labels]
        for selection in self._selections.values():
            selection.series = [series for series in selection.series if series.times]
