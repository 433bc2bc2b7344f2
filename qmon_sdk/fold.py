"""Metrics of one client, added up in place: only what changed travels, within a bound."""

from __future__ import annotations

from _operator import itemgetter
from _thread import allocate_lock
from time import time_ns

from .accelerator import speedups
from .client import current, failed
from .gauges import Gauge
from .gauges import series as series_of
from .rendering import label
from .series import COUNTER, DISTRIBUTION, GAUGE, Series

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from .aiming import Labelled
    from .protocol.signals import Point
    from .scrub import Scrubber
    from .series import Part
    from .settings import Settings
    from .stats import Books

OVERFLOW = {"otel.metric.overflow": "true"}
MAX_SERIES = 20_000  # of all metrics together
MAX_NAME = 255
_PLAIN = frozenset({str, int, float, bool, type(None)})
OVER_LIMIT = "cardinality_limit"
NO_NUMBER = "invalid_value"

NOWHERE = Series(COUNTER, "")
"""Keeps nothing of what is added."""

BOUND: dict[tuple[Any, ...], Series] = {}
"""Series the application holds on to; they outlive clients, and begin again with each."""

POLLED: list[Callable[..., Iterable[Point] | None]] = []
"""Who has numbers only when asked: called as `poll(now=...)` before numbers are sent, by one thread
at a time; `now` when somebody flushes. What it answers is sent as it is. They outlive clients."""


class PureShelf:
    """Series by what the application says; the accelerator has one of its own.

    Labels that are equal in Python (`1`, `1.0` and `True`) lead to the same series.
    """

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: dict[Any, Series] = {}

    def add(
        self,
        name: str,
        value: float = 1,
        *,
        unit: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a value to the series it belongs to."""
        key = (name, *attributes, *attributes.values()) if attributes else name
        try:
            series = self.known[key]
        except Exception:  # noqa: BLE001 - not known, or with a say of its own in being hashed
            series = self.missed(key, name, unit, attributes)
        series.add(value)

    def missed(  # noqa: PLR0917 - positional because C calls it so
        self, key: Any, name: str, unit: str | None, attributes: Mapping[str, Any] | None
    ) -> Series:
        """Find the series of what is said for the first time."""
        raise NotImplementedError


Shelf = PureShelf
if not TYPE_CHECKING and speedups is not None:
    Shelf = speedups.Shelf


class Family(Shelf):
    """The series of one kind."""

    __slots__ = ("_fold", "_kind", "labelled")

    def __init__(self, kind: str, fold: Fold) -> None:
        super().__init__()
        self.labelled: Labelled = {}
        self._kind = kind
        self._fold = fold

    def missed(  # noqa: PLR0917 - positional because C calls it so
        self, key: Any, name: str, unit: str | None, attributes: Mapping[str, Any] | None
    ) -> Series:
        """Find or open the series, and remember it unless it only stands in for too many."""
        series, is_its_own = self._fold.find(self._kind, name, unit=unit, attributes=attributes)
        # What has a say of its own in being equal goes the slow way each time.
        parts = key if type(key) is tuple else (key,)
        if is_its_own and len(self.known) < MAX_SERIES and _PLAIN.issuperset(map(type, parts)):
            self.known[key] = series
            if attributes and speedups is None:
                self._label(name, attributes, series)
        return series

    def _label(self, name: str, attributes: Mapping[str, Any], series: Series) -> None:
        """Remember it by the values of its labels, unless the metric was met with other labels."""
        new: tuple[Any, int, dict[Any, Any]] = (itemgetter(*attributes), len(attributes), {})
        values_of, labels, series_of = self.labelled.setdefault(name, new)
        try:
            if len(attributes) == labels:
                series_of[values_of(dict(attributes))] = series
        except KeyError:
            return

    @staticmethod
    def key_of(name: str, attributes: Mapping[str, Any]) -> Any:
        """Name what is said with attributes that are no plain dictionary."""
        return (name, *attributes, *attributes.values()) if attributes else name


class Fold:
    """Every series of one client. Any thread adds; one at a time drains."""

    def __init__(self, settings: Settings, books: Books, scrubber: Scrubber | None = None) -> None:
        self.wake: Callable[[], Any] = _nothing
        """Called when there is something to drain for the first time, and again after a fork."""
        self.hurry: Callable[[], Any] = _nothing
        """The same of what should not wait for its turn: a gauge that was at rest."""
        self._settings = settings
        self._books = books
        self._scrubber = scrubber
        self._series: dict[tuple[str, ...], Series] = {}
        self._sizes: dict[tuple[str, ...], int] = {}
        self.families = Family(COUNTER, self), Family(GAUGE, self), Family(DISTRIBUTION, self)
        self.count, self.gauge, self.distribution = (family.add for family in self.families)
        self.begin()

    def begin(self) -> None:
        """Forget every value; for a start, and for a forked child, whose parent keeps its own."""
        self._polling = allocate_lock()
        self._answers: list[Point] = []
        for series in BOUND.values():
            series.attributes = self._labels(series.attributes)
            identity = identity_of(series.kind, series.metric, series.attributes)
            self._series.setdefault(identity, series)
        for series in self._all():
            series.begin(self._waker(series))
        self._gauges = [series for series in self._all() if isinstance(series, Gauge)]

    def call_in(self) -> None:
        """Have the next value of each series call `wake`, and keep what was added."""
        for series in self._all():
            series.call_in()

    def find(
        self, kind: str, name: str, *, unit: str | None, attributes: Mapping[str, Any] | None
    ) -> tuple[Series, bool]:
        """Find or open a series, and say whether it is its own or stands in for too many."""
        labels = self._labels(attributes or {})
        identity = identity_of(kind, name, labels)
        series = self._series.get(identity)
        if series is not None:
            return series, True
        if self._has_room(identity[:2]):
            return self._open(identity, label(unit), labels), True
        self._books.captured("point")
        self._books.dropped("point", OVER_LIMIT)
        overflow = identity_of(kind, name, OVERFLOW)
        if overflow in self._series or len(self._series) < 2 * MAX_SERIES:
            return self._series.get(overflow) or self._open(overflow, label(unit), OVERFLOW), False
        return NOWHERE, False

    def poll(self, *, now: bool) -> None:
        """Ask those who have numbers only when asked, unless they are being asked already."""
        if not POLLED or not self._polling.acquire(blocking=False):
            return
        try:
            for ask in tuple(POLLED):
                self._answers += ask(now=now) or ()
        except Exception as error:  # noqa: BLE001 - the guard: other numbers are to go out
            failed("poll", error)
        finally:
            self._polling.release()

    def wake_for_polls(self) -> None:
        """Begin at once if there is somebody to ask: there may never be another number."""
        if POLLED:
            self.wake()

    def drain(self) -> list[Point]:
        """Take what changed since the last time as points; what was refused is counted."""
        answers = self._answers[:]
        del self._answers[: len(answers)]
        return self._seen(answers + self._points((series, series.take()) for series in self._all()))

    def news(self) -> list[Point]:
        """Take, between two drains, what should not wait for the next."""
        told = [gauge for gauge in self._gauges if len(gauge)]
        return self._seen(self._points((gauge, gauge.take_news()) for gauge in told))

    def _points(self, taken: Iterable[tuple[Series, Part | None]]) -> list[Point]:
        now, points = time_ns(), []
        for series, part in taken:
            if part is None:
                continue
            self._count_dropped(NO_NUMBER, part.refused)
            if part.count:
                points.append(series.point(part, now))
        return points

    def hold(
        self, kind: str, name: str, *, unit: str | None, attributes: Mapping[str, Any]
    ) -> Series:
        """Find or open a series for the application to keep; the limit is for the others."""
        labels = self._labels(attributes)
        identity = identity_of(kind, name, labels)
        return self._series.get(identity) or self._open(identity, label(unit), labels)

    def _all(self) -> list[Series]:
        return list(dict.fromkeys((*self._series.values(), *BOUND.values())))

    def _waker(self, series: Series) -> Callable[[], Any]:
        return self._hurry if series.kind == GAUGE else self._wake

    def _wake(self) -> None:
        self.wake()

    def _hurry(self) -> None:
        self.hurry()

    def _labels(self, attributes: Mapping[str, Any]) -> dict[str, str]:
        if self._scrubber is not None:
            return self._scrubber.labels(attributes)
        return {label(key): label(value) for key, value in attributes.items()}

    def _has_room(self, metric: tuple[str, ...]) -> bool:
        taken = self._sizes.get(metric, 0)
        return taken < self._settings.cardinality_limit and len(self._series) < MAX_SERIES

    def _open(self, identity: tuple[str, ...], unit: str, labels: Mapping[str, str]) -> Series:
        kind, name = metric = identity[:2]
        if self._scrubber is not None:
            name = self._scrubber.word(name)
        made = series_of(kind, name, unit=label(unit), attributes=labels)
        made.begin(self._waker(made))
        series = self._series.setdefault(identity, made)  # another thread may have been quicker
        if series is made:
            self._sizes[metric] = self._sizes.get(metric, 0) + 1
            if isinstance(made, Gauge):
                self._gauges.append(made)
        return series

    def _seen(self, points: list[Point]) -> list[Point]:
        hook = self._settings.before_send_metric
        if hook is None or not points:
            return points
        from .screening import screened

        seen = [screened(hook, point, self._books) for point in points]
        return [point for point in seen if point is not None]

    def _count_dropped(self, reason: str, number: int) -> None:
        if number:
            self._books.captured("point", number)
            self._books.dropped("point", reason, number)


def identity_of(kind: str, name: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Name a series: its kind, its metric, its labels in alphabetical order."""
    return (
        kind,
        label(name, MAX_NAME),
        *(text for pair in sorted(labels.items()) for text in pair),
    )


def bound(
    kind: str, name: str, *, unit: str | None, attributes: Mapping[str, Any] | None
) -> Series:
    """Open a series for the application to hold on to, whether or not there is a client yet."""
    labels = {label(key): label(value) for key, value in (attributes or {}).items()}
    identity = identity_of(kind, name, labels)
    series = BOUND.get(identity)
    if series is None:
        fold = current().metrics
        if fold:
            series = fold.hold(kind, name, unit=unit, attributes=labels)
        else:
            series = series_of(kind, identity[1], unit=label(unit), attributes=labels)
        if len(BOUND) < MAX_SERIES:
            series = BOUND.setdefault(identity, series)
    return series


def _nothing() -> None:
    return None
