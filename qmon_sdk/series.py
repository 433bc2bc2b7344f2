"""One metric under one set of labels: values are appended without a lock, and folded later."""

from __future__ import annotations

from collections import Counter, deque
from itertools import repeat, starmap
from math import isfinite

from .protocol.buckets import bucket_of
from .protocol.buckets import fold as fold_buckets
from .protocol.records import Record
from .protocol.signals import NO_BUCKETS, Point

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

COUNTER, GAUGE, DISTRIBUTION = KINDS = ("counter", "gauge", "distribution")
_CROWDED = 1024  # values a series holds before it folds them itself
_PARTS = 16


class Part(Record):
    """Some values of a series, folded."""

    count: int = 0
    total: float = 0.0
    last: float = 0.0
    minimum: float = 0.0
    maximum: float = 0.0
    buckets: dict[int, int] = NO_BUCKETS
    refused: int = 0


class Series:
    """What the application adds to, from any thread.

    `add` is the hot path: `deque.append` and `deque.popleft` are single operations of the
    interpreter, with the GIL and without, so that nothing is lost, counted twice or waited for. A
    negative limit sends the first value after a start or a fork the slow way, which wakes the
    flusher.
    """

    __slots__ = ("_limit", "_parts", "_pending", "_wake", "attributes", "kind", "metric", "unit")

    def __init__(
        self, kind: str, metric: str, *, unit: str = "", attributes: Mapping[str, str] | None = None
    ) -> None:
        self.kind = kind
        self.metric = metric
        self.unit = unit
        self.attributes = dict(attributes or {})
        self._pending: deque[Any] = deque()
        self._parts: deque[Part] = deque()
        self._wake: Callable[[], Any] | None = None
        self._limit = -1

    def add(self, value: float = 1) -> None:
        """Take one value; what is no finite number is counted and left out later."""
        pending = self._pending
        pending.append(value)
        if len(pending) > self._limit:
            self._crowded()

    def begin(self, wake: Callable[[], Any] | None) -> None:
        """Forget what was added; call `wake` when the next value comes, or (`None`) keep none."""
        self._wake = wake
        self._limit = -1
        self._pending.clear()
        self._parts.clear()

    def take(self) -> Part | None:
        """Fold and remove what was added since the last time; `None` when nothing was."""
        if self._pending:
            self._fold()
        parts = taken(self._parts)
        return merge(parts) if parts else None

    def point(self, part: Part, time: int) -> Point:
        """Say what was added as a signal."""
        return Point(
            time=time,
            metric=self.metric,
            kind=self.kind,
            value=part.last if self.kind == GAUGE else part.total,
            unit=self.unit,
            count=part.count,
            minimum=part.minimum,
            maximum=part.maximum,
            buckets=part.buckets,
            attributes=self.attributes,
        )

    def _crowded(self) -> None:
        if self._wake is None:
            self._pending.clear()
        elif self._limit < 0:
            self._limit = _CROWDED
            self._wake()
        else:
            self._fold()
            if len(self._parts) > _PARTS:
                self._parts.append(merge(taken(self._parts)))

    def _fold(self) -> None:
        self._parts.append(fold(taken(self._pending), buckets=self.kind == DISTRIBUTION))


def taken(source: deque[Any]) -> list[Any]:
    """Move out what is there now, oldest first, while others may append or take as well."""
    moved: list[Any] = []
    try:
        moved.extend(starmap(source.popleft, repeat((), len(source))))
    except IndexError:  # somebody else took the rest
        pass
    return moved


def fold(values: list[Any], *, buckets: bool = True) -> Part:
    """Fold values into one part; those that are no finite numbers are refused and counted."""
    numbers = values
    if not set(map(type, values)) <= {int, float} or not isfinite(_sum(values)):
        numbers = [number for value in values if (number := _number(value)) is not None]
    if not numbers:
        return Part(refused=len(values))
    return Part(
        count=len(numbers),
        total=_sum(numbers),
        last=float(numbers[-1]),
        minimum=float(min(numbers)),
        maximum=float(max(numbers)),
        buckets=dict(Counter(map(bucket_of, numbers))) if buckets else NO_BUCKETS,
        refused=len(values) - len(numbers),
    )


def merge(parts: list[Part]) -> Part:
    """Add parts up in their order; the merge of parts is the fold of the whole."""
    full = [part for part in parts if part.count]
    refused = sum(part.refused for part in parts)
    if len(full) <= 1:
        return (full[0] if full else Part()).replace(refused=refused)
    return Part(
        count=sum(part.count for part in full),
        total=_sum([part.total for part in full]),
        last=full[-1].last,
        minimum=min(part.minimum for part in full),
        maximum=max(part.maximum for part in full),
        buckets=fold_buckets([part.buckets for part in full]),
        refused=refused,
    )


def _sum(numbers: list[Any]) -> float:
    try:
        return float(sum(numbers))
    except OverflowError:  # an integer that no double can hold
        return float("inf")


def _number(value: Any) -> float | None:
    """Read a finite number of any library; a text or a truth value is none."""
    if isinstance(value, str | bytes | bytearray | bool):
        return None
    try:
        number = float(value)
    except Exception:  # noqa: BLE001 - converting is the value's own code
        return None
    return number if isfinite(number) else None
