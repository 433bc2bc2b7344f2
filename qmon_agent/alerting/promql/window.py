"""The samples that expressions may ask for: of series that somebody selects, and no older ones."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator

import msgspec

from .labels import NAME, Labels, labels_of
from .series import Series
from .tree import LOOKBACK_MS, Selector

_SAMPLE_BYTES = 16
_SERIES_BYTES = 1_000
"""What a series costs beside its samples, about."""
_TIDY_EVERY = 64
STEP_MS = 15_000
"""Between the samples of a counter that tells nothing, as if it were scraped."""

Pairs = tuple[tuple[str, str], ...]
Kept = tuple[Pairs, bytes, bytes, int, bool]
Fresh = tuple[Pairs, int, float, int, bool]


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept at most; what is over is left out, and counted."""

    series: int = 100_000
    size: int = 64 << 20
    """In bytes."""


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
        self._since_tidy = self._went_on = 0
        self._fresh: list[Fresh] = []
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
        self._note(series)
        return True

    def put(self, labels: Labels, time: int, value: float) -> None:
        """Take a sample, or correct the last one where it is not newer."""
        series = self._series.get(labels)
        if series is not None and series.amend(time, value):
            self._note(series)
        else:
            self.add(labels, time, value)

    def grow(self, labels: Labels, time: int, *, by: float) -> None:
        """Take what a counter grew; before it first told, it had been at nothing."""
        series = self._series.get(labels)
        if series is not None:
            # Whether it was tidied away already, or not yet, makes no difference.
            self._samples -= series.trim(time - series.reach)
        if series is None or not series.times:
            self.add(labels, time - STEP_MS, 0.0)
            series = self._series.get(labels)
        if series is None:
            return
        series.told_at = max(series.told_at, time)
        series.is_regular = series.is_regular or not by
        self.put(labels, time, series.values[-1] + by)

    def go_on(self, time: int) -> None:
        """Counters that tell only what they grew stay where they are, until every range is flat."""
        if time // STEP_MS == self._went_on:
            return
        self._went_on = time // STEP_MS
        for labels, series in self._series.items():
            is_silent = series.told_at and not series.is_regular and series.times
            if not is_silent or time - series.told_at > series.reach + LOOKBACK_MS:
                continue
            # What comes a little later than it happened is waited for.
            if time - series.times[-1] >= 2 * STEP_MS:
                self.add(labels, time - STEP_MS, series.values[-1])

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
                (
                    series.labels.pairs,
                    series.times.tobytes(),
                    series.values.tobytes(),
                    series.told_at,
                    series.is_regular,
                )
                for series in self
                if series.times
            ]
        )

    @property
    def fresh(self) -> int:
        """How many samples came since the last dump."""
        return len(self._fresh)

    def forget_fresh(self) -> None:
        """Nobody is to take them back."""
        self._fresh = []

    def dump_fresh(self) -> bytes:
        """Those, to be kept beside the dump."""
        return msgspec.msgpack.encode(self._fresh)

    def load_fresh(self, dumped: bytes) -> None:
        """Take them back, after the dump they came after."""
        kept = msgspec.msgpack.decode(dumped, type=list[Fresh])
        for pairs, time, value, told_at, is_regular in kept:
            labels = labels_of(pairs)
            self.put(labels, time, value)
            self._remind(labels, told_at, is_regular=is_regular)
        self._fresh = kept

    def load(self, dumped: bytes) -> None:
        """Take back what was dumped; what nobody watches any more is left out."""
        kept = msgspec.msgpack.decode(dumped, type=list[Kept])
        for pairs, times, values, told_at, is_regular in kept:
            labels = labels_of(pairs)
            moments: array[int] = array("q", times)
            for time, value in zip(moments, array("d", values), strict=True):
                self.add(labels, time, value)
            self._remind(labels, told_at, is_regular=is_regular)
        self._fresh = []

    def _note(self, series: Series) -> None:
        """Remember its newest sample as one that is not dumped yet."""
        self._fresh.append(
            (
                series.labels.pairs,
                series.times[-1],
                series.values[-1],
                series.told_at,
                series.is_regular,
            )
        )

    def _remind(self, labels: Labels, told_at: int, *, is_regular: bool) -> None:
        series = self._series.get(labels)
        if series is not None:
            series.told_at, series.is_regular = told_at, is_regular

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
