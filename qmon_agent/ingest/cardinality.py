"""How many different series and names may come: what finds no room is told of as overflow.

Nothing is thrown away. A point over the budget stays with its value, under the attributes of the
overflow, so that sums are right; a span or an event keeps all but its name. What was under the
budget when it came is never touched. Seen once, a column that is written the same way again costs
one hash.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from qmon_agent.ingest.census import Budgets, Census, Line
from qmon_agent.ingest.distinct import Distinct
from qmon_agent.ingest.outcome import Peer
from qmon_agent.ingest.series import (
    distinct_words,
    each_label_set,
    each_word,
    layout_of,
    place_of,
    with_labels,
    with_words,
)
from qmon_agent.settings import Cardinality as Options
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.columns import Block, decode_column
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import Frame

Columns = dict[tuple[int, int], Any]
"""What is put into a frame, by the numbers of block and column."""

_METRIC, _LABELS = place_of("point", "metric"), place_of("point", "attributes")
_NAMES = {kind: place_of(kind, "name") for kind in ("span", "event")}
LOOKED_INTO = frozenset({"point", *_NAMES})
"""Kinds of signals whose columns are read here; of others nothing is."""
_MOST_LAYOUTS = 4_096
# Labels are looked into from so many series on; what came before is not in their counts.
_CROWDED, _MOST_LABELS = 8, 32
# Of so many metrics, a kilobyte for each label: one with far more series takes another's place.
_MOST_WATCHED, _FAR_MORE = 128, 2

# What the reading of columns raises that strangers made.
_CONTRADICTIONS = (
    WireError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
)

Watched = tuple[str, str]
"""Service and metric."""


class Cardinality:
    """Three censuses: of series, of the names of spans, of the names of events."""

    def __init__(
        self, options: Options, *, vitals: Vitals, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.options = options
        self.series = Census(
            Budgets(
                group=options.series_per_metric,
                service=options.series_per_service,
                peer=options.series_per_peer,
                whole=options.series,
            )
        )
        self.names = {"span": _census(options.span_names), "event": _census(options.event_names)}
        self.labels: dict[Watched, dict[str, Distinct]] = {}
        """About how many values each label has, of metrics with many series."""
        self._vitals = vitals
        self._now = now
        self._turn_s = max(1.0, options.forget_after_s / 2)
        self._began = now()
        self._layouts: set[int] = set()
        self._fewest = 0
        """Series of the watched metric that has the fewest, when that was looked up last."""

    def over_in(self, frame: Frame, peer: Peer) -> Columns:
        """The columns that are to be put into a frame before it is kept; usually none."""
        if not self.options.enabled:
            return {}
        self._turn()
        columns: Columns = {}
        for number, block in enumerate(frame.blocks):
            look = self._points if block.kind == "point" else self._named
            if block.rows and (block.kind == "point" or block.kind in _NAMES):
                try:
                    found = [*look(block, frame.resource.service, peer.name)]
                except _CONTRADICTIONS:
                    # No table will take it, and the store says so.
                    self._vitals.add("cardinality_unreadable", kind=block.kind)
                    continue
                columns |= {(number, place): column for place, column in found}
        return columns

    def _points(self, block: Block, service: str, peer: str) -> Iterator[tuple[int, Any]]:
        metrics, labels = block.columns[_METRIC], block.columns[_LABELS]
        layout = layout_of(service, metrics, labels)
        if layout in self._layouts:
            return iter(())
        rows, over = _Rows(self.series, service, peer), []
        words, sets = each_word(metrics, block.rows), each_label_set(labels, block.rows)
        fresh = self.series.fresh
        for row, (metric, one) in enumerate(zip(words, sets, strict=False)):
            member = hash((service, metric, one))
            if member not in fresh and not rows.enter(member, metric, row):
                over.append(row)
        if rows.new:
            self._look_into(rows.new, service, labels, rows=block.rows)
        if not over:
            self._remember(layout)
            return iter(())
        return self._overflow(block, rows, over)

    def _overflow(self, block: Block, rows: _Rows, over: list[int]) -> Iterator[tuple[int, Any]]:
        self._vitals.add("cardinality_overflow", len(over), kind="point")
        yield _LABELS, with_labels(block.columns[_LABELS], block.rows, over)
        nameless = [row for row in over if not rows.is_known(row)]
        if nameless:
            yield _METRIC, with_words(block.columns[_METRIC], block.rows, nameless)

    def _named(self, block: Block, service: str, peer: str) -> Iterator[tuple[int, Any]]:
        census, place = self.names[block.kind], _NAMES[block.kind]
        column, fresh = block.columns[place], census.fresh
        line = census.line(service, "", peer)
        over = set()
        for name in distinct_words(column):
            member = hash((service, name))
            if member not in fresh and not census.enter(member, line):
                over.add(name)
        if not over:
            return
        rows = [row for row, name in enumerate(each_word(column, block.rows)) if name in over]
        self._vitals.add("cardinality_overflow", len(rows), kind=block.kind)
        yield place, with_words(column, block.rows, rows)

    def _look_into(
        self, new: list[tuple[int, str]], service: str, column: Any, *, rows: int
    ) -> None:
        """Which label makes a metric grow: looked at in what was not there before."""
        wanted = [(row, metric) for row, metric in new if self._is_watched((service, metric))]
        if not wanted:
            return
        values = decode_column(column, "Labels", rows)
        found: dict[tuple[str, str], set[str]] = {}
        for row, metric in wanted:
            for label, value in values[row].items():
                found.setdefault((metric, label), set()).add(value)
        for (metric, label), different in found.items():
            labels = self.labels.setdefault((service, metric), {})
            if label in labels or len(labels) < _MOST_LABELS:
                labels.setdefault(label, Distinct()).add(different)

    def _is_watched(self, metric: Watched) -> bool:
        if metric in self.labels:
            return True
        series = self._series_of(metric)
        if series < _CROWDED:
            return False
        if len(self.labels) >= _MOST_WATCHED:
            if series < _FAR_MORE * self._fewest:
                return False
            least = min(self.labels, key=self._series_of)
            self._fewest = self._series_of(least)
            if series < _FAR_MORE * self._fewest:
                return False
            del self.labels[least]
        self.labels[metric] = {}
        return True

    def _series_of(self, metric: Watched) -> int:
        account = self.series.group(*metric)
        return 0 if account is None else account.count

    def _remember(self, layout: int) -> None:
        if layout and len(self._layouts) < _MOST_LAYOUTS:
            self._layouts.add(layout)

    def _turn(self) -> None:
        now = self._now()
        if now - self._began < self._turn_s:
            return
        turns = min(2, int((now - self._began) / self._turn_s))
        self._began = now
        self._layouts.clear()
        for census in (self.series, *self.names.values()):
            for _ in range(turns):
                census.turn()
        self.labels = {one: each for one, each in self.labels.items() if self.series.group(*one)}
        self._fewest = 0


class _Rows:
    """The rows of one block that are not known to be there already."""

    def __init__(self, census: Census, service: str, peer: str) -> None:
        self.new: list[tuple[int, str]] = []
        """Rows whose series was not there before, and their metrics."""
        self._census = census
        self._service = service
        self._peer = peer
        self._lines: dict[str, Line] = {}
        self._metrics: dict[int, str] = {}

    def enter(self, member: int, metric: str, row: int) -> bool:
        line = self._lines.get(metric)
        if line is None:
            line = self._lines[metric] = self._census.line(self._service, metric, self._peer)
        before = len(self._census)
        is_in = self._census.enter(member, line)
        if not is_in:
            self._metrics[row] = metric
        if not is_in or len(self._census) != before:
            self.new.append((row, metric))
        return is_in

    def is_known(self, row: int) -> bool:
        """Whether there are series of its metric, so that the name at least is none too many."""
        return self._census.group(self._service, self._metrics[row]) is not None


def _census(most: int) -> Census:
    """Of names: each service has so many, and all together ten times that."""
    return Census(Budgets(group=most, service=most, peer=4 * most, whole=20 * most))
