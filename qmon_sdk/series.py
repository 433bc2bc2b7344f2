"""One metric under one set of labels: values are appended without a lock, and folded later."""

from __future__ import annotations

from _thread import allocate_lock
from collections import Counter
from math import isfinite, nan

from .protocol.buckets import bucket_of
from .protocol.buckets import fold as fold_buckets
from .protocol.records import Record
from .protocol.signals import NO_BUCKETS, Point

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

COUNTER, GAUGE, DISTRIBUTION = KINDS = ("counter", "gauge", "distribution")
CROWDED = 1024  # values a series holds before it folds them itself
MOST_PARTS = 16
PATIENCE_S = 0.05


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

    `add` is the hot path and takes no lock: `list.append` is a single operation of the interpreter,
    with the GIL and without. Whoever folds takes a slice off the front, one at a time, while others
    go on appending at the back; so nothing is lost or counted twice. A negative limit sends the
    first value after a start or a fork the slow way, which wakes the flusher.
    """

    __slots__ = (
        "_gate",
        "_parts",
        "_wake",
        "attributes",
        "kind",
        "limit",
        "metric",
        "pending",
        "unit",
    )

    def __init__(
        self, kind: str, metric: str, *, unit: str = "", attributes: Mapping[str, str] | None = None
    ) -> None:
        self.kind = kind
        self.metric = metric
        self.unit = unit
        self.attributes = dict(attributes or {})
        self.begin(None)

    def begin(self, wake: Callable[[], Any] | None) -> None:
        """Forget what was added; call `wake` when the next value comes, or (`None`) keep none."""
        self._wake = wake
        self._gate = allocate_lock()  # a forked child may have inherited a closed one
        self._parts: list[Part] = []
        self.pending: list[Any] = []
        self.limit = -1

    def call_in(self) -> None:
        """Have the next value call `wake` again."""
        self.limit = -1

    def add(self, value: float = 1) -> None:
        """Take one value; what is no finite number is counted and left out later."""
        pending = self.pending
        pending.append(value)
        if len(pending) > self.limit:
            self.crowded()

    def crowded(self) -> None:
        """Make room: the first value wakes the flusher, later ones are folded where they are."""
        if self._wake is None:
            self.pending.clear()
        elif self.limit < 0:
            self.limit = CROWDED
            self._wake()
        elif self._gate.acquire(blocking=False):  # else somebody is at it already
            try:
                self._fold()
            finally:
                self._gate.release()

    def take(self) -> Part | None:
        """Fold and remove what was added since the last time; `None` when nothing was."""
        if not self.pending and not self._parts:
            return None
        if not self._gate.acquire(timeout=PATIENCE_S):
            return None  # whoever holds it is folding: the next time, then
        try:
            self._fold()
            parts, self._parts = self._parts, []
        finally:
            self._gate.release()
        return merge(parts)

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

    def _fold(self) -> None:
        pending = self.pending
        values = pending[: len(pending)]
        del pending[: len(values)]
        if values:
            self._parts.append(fold(values, self.kind))
        if len(self._parts) > MOST_PARTS:
            self._parts = [merge(self._parts)]


def fold(values: list[Any], kind: str = DISTRIBUTION) -> Part:
    """Fold values into one part; those that are no finite numbers are refused and counted."""
    numbers, total = values, _sum(values)
    if not isfinite(total):
        numbers = [number for value in values if (number := _number(value)) is not None]
        total = sum(numbers)
    count = len(numbers)
    if kind == COUNTER or not count:
        return Part(count=count, total=total, refused=len(values) - count)
    return Part(
        count=count,
        total=total,
        last=float(numbers[-1]),
        minimum=float(min(numbers)),
        maximum=float(max(numbers)),
        buckets=dict(Counter(map(bucket_of, numbers))) if kind == DISTRIBUTION else NO_BUCKETS,
        refused=len(values) - count,
    )


def merge(parts: list[Part]) -> Part:
    """Add parts up in their order; the merge of parts is the fold of the whole."""
    full = [part for part in parts if part.count]
    refused = sum(part.refused for part in parts)
    if len(full) <= 1:
        return (full[0] if full else Part()).replace(refused=refused)
    return Part(
        count=sum(part.count for part in full),
        total=sum(part.total for part in full),
        last=full[-1].last,
        minimum=min(part.minimum for part in full),
        maximum=max(part.maximum for part in full),
        buckets=fold_buckets([part.buckets for part in full]),
        refused=refused,
    )


def _sum(values: list[Any]) -> float:
    """Add up what is only plain numbers; NaN when there is anything else among them."""
    try:
        total = sum(values)
        return float(total) if type(total) in {int, float} else nan
    except (OverflowError, TypeError):
        return nan


def _number(value: Any) -> float | None:
    """Read a finite number of any library; a text is none."""
    if isinstance(value, str | bytes | bytearray):
        return None
    try:
        number = float(value)
    except Exception:  # noqa: BLE001 - converting is the value's own code
        return None
    return number if isfinite(number) else None
