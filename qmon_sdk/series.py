"""One metric under one set of labels: values are appended without a lock, and folded later."""

from __future__ import annotations

from _thread import allocate_lock
from collections import Counter
from math import isfinite, nan

from .accelerator import speedups
from .protocol.buckets import bucket_of
from .protocol.buckets import fold as fold_buckets
from .protocol.records import Record
from .protocol.signals import NO_BUCKETS, Point
from .rendering import is_a

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


class PurePending:
    """Values that are not folded yet, added from any thread; the accelerator has one of its own.

    `add` is the hot path and takes no lock: `list.append` is a single operation of the interpreter.
    Whoever takes removes a slice off the front, one at a time, while others go on appending at the
    back; so nothing is lost or counted twice.
    """

    __slots__ = ("limit", "values")

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.limit = 0

    def __len__(self) -> int:
        return len(self.values)

    def add(self, value: float = 1) -> None:
        """Take one value; what is no finite number is counted and left out later."""
        values = self.values
        values.append(value)
        if len(values) > self.limit:
            self.crowded()

    def crowded(self) -> None:
        """Be told that there are more values than the limit."""

    def forget(self) -> None:
        """Forget every value."""
        self.values = []

    def latest(self) -> Any:
        """Look at the value that was added last; `None` where there is none."""
        last = self.values[-1:]
        return last[0] if last else None

    def taken(self, kind: str) -> Any:  # noqa: ARG002 - the accelerator folds here already
        """Remove all values: as a list, or as the fields of a part of that kind."""
        values = self.values
        some = values[: len(values)]
        del values[: len(some)]
        return some or None


Pending = PurePending
if not TYPE_CHECKING and speedups is not None:
    Pending = speedups.Pending


class Series(Pending):
    """What the application adds to, from any thread.

    A negative limit sends the first value after a start or a fork the slow way, which wakes the
    flusher.
    """

    __slots__ = ("_gate", "_parts", "_wake", "attributes", "kind", "metric", "unit")

    def __init__(
        self, kind: str, metric: str, *, unit: str = "", attributes: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
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
        self.forget()
        self.limit = -1

    def call_in(self) -> None:
        """Have the next value call `wake` again."""
        self.limit = -1

    def crowded(self) -> None:
        """Make room: the first value wakes the flusher, later ones are folded where they are."""
        if self._wake is None:
            self.forget()
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
        if not len(self) and not self._parts:
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
        folded = self.taken(self.kind)
        if folded is not None:
            self._parts.append(part_of(folded, self.kind))
        if len(self._parts) > MOST_PARTS:
            self._parts = [merge(self._parts)]


def part_of(folded: Any, kind: str) -> Part:
    """Read what `taken` gave: a part's fields, or values that are still to be folded."""
    if type(folded) is list:
        return fold(folded, kind)
    part: Part = tuple.__new__(Part, folded)  # type: ignore[type-var]
    return part


def fold(values: list[Any], kind: str = DISTRIBUTION) -> Part:
    """Fold values into one part; those that are no finite numbers are refused and counted."""
    try:
        total = _sum(values)
        if isfinite(total):
            return _part(values, total, kind)
    except Exception:  # noqa: BLE001, S110 - a value's own code, or a number beyond all floats
        pass
    numbers = [number for value in values if (number := _number(value)) is not None]
    part = _part(numbers, float(sum(numbers)), kind)
    return part.replace(refused=len(values) - len(numbers))


def _part(numbers: list[Any], total: float, kind: str) -> Part:
    count = len(numbers)
    if kind == COUNTER or not count:
        return Part(count=count, total=total)
    return Part(
        count=count,
        total=total,
        last=float(numbers[-1]),
        minimum=float(min(numbers)),
        maximum=float(max(numbers)),
        buckets=dict(Counter(map(bucket_of, numbers))) if kind == DISTRIBUTION else NO_BUCKETS,
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
    except Exception:  # noqa: BLE001 - adding is the values' own code
        return nan


def _number(value: Any) -> float | None:
    """Read a finite number of any library; a text is none."""
    try:
        if any(is_a(type(value), text) for text in (str, bytes, bytearray)):
            return None
        number = float(value)
    except Exception:  # noqa: BLE001 - converting is the value's own code
        return None
    return number if isfinite(number) else None
