"""OpenTelemetry's synchronous instruments: each a verb of qmon's metrics with its name settled."""

from __future__ import annotations

import os

from opentelemetry import metrics as api
from opentelemetry.metrics import _Gauge as ApiGauge

from qmon_sdk.client import current, failed
from qmon_sdk.fold import OVERFLOW, Family
from qmon_sdk.rendering import label
from qmon_sdk.series import COUNTER, DISTRIBUTION, GAUGE, Series

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from qmon_sdk.fold import Fold

MOST_SUMS = 2000  # sets of attributes of one up-down counter


class Scoped:
    """A fold whose series say which library they are of."""

    __slots__ = ("_fold", "_labels")

    def __init__(self, fold: Fold, labels: Mapping[str, str]) -> None:
        self._fold = fold
        self._labels = labels

    def find(
        self, kind: str, name: str, *, unit: str | None, attributes: Mapping[str, Any] | None
    ) -> tuple[Series, bool]:
        """Find or open a series, as `Fold.find` does."""
        told = {**(attributes or {}), **self._labels}
        return self._fold.find(kind, name, unit=unit, attributes=told)


class Measure:
    """One metric of one library, with whichever client is in charge."""

    __slots__ = ("_add", "_fold", "_kind", "_labels", "name", "unit")

    def __init__(self, kind: str, name: str, unit: str, labels: Mapping[str, str]) -> None:
        self._kind = kind
        self._labels = labels
        self.name = label(name)
        self.unit = label(unit)
        self._fold: Any = None
        self._add: Callable[..., None] = _nothing

    def take(self, value: float, attributes: Mapping[str, Any] | None) -> None:
        """Keep one value."""
        try:
            fold = current().metrics
            if fold is not self._fold:
                self._meet(fold)
            self._add(self.name, value, unit=self.unit, attributes=attributes)
        except Exception as error:  # noqa: BLE001 - the guard, without the price of a wrapper
            failed(self._kind, error)

    def _meet(self, fold: Any) -> None:
        self._add = Family(self._kind, Scoped(fold, self._labels)).add if fold else _nothing  # type: ignore[arg-type]
        self._fold = fold


def _nothing(*_: Any, **__: Any) -> None:
    return None


class Counter(api.Counter):
    """A sum that only grows."""

    def __init__(
        self, name: str, unit: str = "", description: str = "", *, labels: Mapping[str, str]
    ) -> None:
        self.description = description
        self._measure = Measure(COUNTER, name, unit, labels)

    def add(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """Add to it; what is negative is left out."""
        if type(amount) not in {int, float} or amount >= 0:
            self._measure.take(amount, attributes)


class Histogram(api.Histogram):
    """A distribution; its buckets are qmon's, whose quantiles are within 2 %."""

    def __init__(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        explicit_bucket_boundaries_advisory: Any = None,
        *,
        labels: Mapping[str, str],
    ) -> None:
        self.description = description
        self._measure = Measure(DISTRIBUTION, name, unit, labels)

    def record(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """Add one value."""
        self._measure.take(amount, attributes)


class Gauge(ApiGauge):
    """A value that is set."""

    def __init__(
        self, name: str, unit: str = "", description: str = "", *, labels: Mapping[str, str]
    ) -> None:
        self.description = description
        self._measure = Measure(GAUGE, name, unit, labels)

    def set(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """Set it."""
        self._measure.take(amount, attributes)


class UpDownCounter(api.UpDownCounter):
    """A sum that goes up and down: told as a gauge, of what it has come to in this process."""

    observer: Any

    def __init__(
        self, name: str, unit: str = "", description: str = "", *, labels: Mapping[str, str]
    ) -> None:
        self.description = description
        self._measure = Measure(GAUGE, name, unit, labels)
        self._sums: dict[Any, Sum] = {}
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._sums.clear)

    def add(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """Add to it, or take away."""
        try:
            key = (*attributes, *attributes.values()) if attributes else ()
            try:
                found = self._sums[key]
            except (KeyError, TypeError):
                found = self._open(attributes or {})
            found.series.add(amount)
        except Exception as error:  # noqa: BLE001 - the guard, without the price of a wrapper
            failed("add", error)

    def _open(self, attributes: Mapping[str, Any]) -> Sum:
        told = {name: _hashable(value) for name, value in attributes.items()}
        if len(self._sums) >= MOST_SUMS:
            told = dict(OVERFLOW)
        return self._sums.setdefault((*told, *told.values()), Sum(self._measure.name, told))

    def poll(self, *, everything: bool) -> None:
        """Tell what has changed, or `everything`."""
        for each in list(self._sums.values()):
            if each.fold() or everything:
                self._measure.take(each.total, each.attributes)


class Sum:
    """What an up-down counter has come to under one set of attributes."""

    __slots__ = ("attributes", "series", "total")

    def __init__(self, name: str, attributes: dict[str, Any]) -> None:
        self.attributes = attributes
        self.total = 0.0
        self.series = Series(COUNTER, name)
        self.series.begin(_wake)

    def fold(self) -> bool:
        """Add up what was added since; say whether anything was."""
        part = self.series.take()
        if part is None or not part.count:
            return False
        self.total += part.total
        return True


def _wake() -> None:
    current().metrics.wake()


def _hashable(value: Any) -> Any:
    return value if type(value) in {str, int, float, bool} else label(value)
