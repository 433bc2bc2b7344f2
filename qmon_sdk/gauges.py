"""A gauge that was at rest, or that leaves where it used to be, is told before its turn.

Numbers are added up for as long as `metric_interval_s` says, and a series that changes all the time
has one row for each such turn. What a person waits for is the change of one that stood still, and a
value unlike those before it: neither has to wait for the turn, and neither makes many rows.
"""

from __future__ import annotations

from math import nan

from .series import GAUGE, Part, Series

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

MARGIN = 0.25  # of the range it used to be in
NARROWING = 1 / 32  # of the range, each turn: it forgets its extremes within a minute or so
PRICE = 10  # of a jump, in turns: of eleven rows, one at most is for a jump
MOST_CREDIT = 3 * PRICE

_PLAIN = (float, int, bool)


class Gauge(Series):
    """A gauge, and when its values are news. What is not added to the hot path costs it nothing."""

    __slots__ = ("_credit", "_highest", "_is_resting", "_lowest")

    def __init__(
        self, metric: str, *, unit: str = "", attributes: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(GAUGE, metric, unit=unit, attributes=attributes)

    def begin(self, wake: Callable[[], Any] | None) -> None:
        """Forget what was added, and what is usual."""
        self._is_resting = True
        self._lowest = self._highest = nan
        self._credit = 0  # until it is known where it uses to be
        super().begin(wake)

    def take(self) -> Part | None:
        """Take its turn; after one without a value the next value wakes the flusher."""
        part = super().take()
        self._credit += self._credit < MOST_CREDIT
        if part is None:
            self._is_resting = True
            self.call_in()
        else:
            self._told(part)
        return part

    def take_news(self) -> Part | None:
        """Take what was added if it should not wait for its turn."""
        if not self._is_resting:
            if self._credit < PRICE or not self._has_left():
                return None
            self._credit -= PRICE
        part = super().take()
        if part is not None:
            self._told(part)
        return part

    def _told(self, part: Part) -> None:
        self._is_resting = False
        if part.count:
            less = (self._highest - self._lowest) * NARROWING
            # In this order, what is no number yet counts for nothing.
            self._lowest = min(part.minimum, self._lowest + less)
            self._highest = max(part.maximum, self._highest - less)

    def _has_left(self) -> bool:
        """Whether its latest value is outside of where it used to be, and by how much it moves."""
        value = self.latest()
        if type(value) not in _PLAIN:
            return False  # comparing would be the value's own code
        aside = (self._highest - self._lowest) * MARGIN
        return bool(value < self._lowest - aside or value > self._highest + aside)


def series(
    kind: str, metric: str, *, unit: str, attributes: Mapping[str, str] | None = None
) -> Series:
    """Make the series of a kind."""
    if kind == GAUGE:
        return Gauge(metric, unit=unit, attributes=attributes)
    return Series(kind, metric, unit=unit, attributes=attributes)
