"""Numbers: counters, gauges, distributions and timers, added up here and sent as deltas."""

from __future__ import annotations

from functools import update_wrapper
from time import perf_counter_ns

from .accelerator import speedups
from .aiming import KNOWN
from .around import around
from .client import current, failed
from .either_with import EitherWith
from .fold import Fold, bound
from .series import COUNTER, DISTRIBUTION, GAUGE, KINDS

__all__ = ["Fold", "count", "distribution", "gauge", "histogram", "timer"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol, Self, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

    class Adding(Protocol):
        """What `bind` gives: the verb with all but the value settled."""

        def __call__(self, value: float = 1) -> None: ...

    class Verb(Protocol):
        """`count`, `gauge` or `distribution`."""

        def __call__(
            self,
            name: str,
            value: float = 1,
            *,
            unit: str | None = None,
            attributes: Mapping[str, Any] | None = None,
        ) -> None: ...

        def bind(
            self,
            name: str,
            *,
            unit: str | None = None,
            attributes: Mapping[str, Any] | None = None,
        ) -> Adding:
            """Settle everything but the value, for the hottest of loops."""


def _bindable(kind: str) -> Callable[[Callable[..., None]], Verb]:
    def decorate(verb: Callable[..., None]) -> Verb:
        def bind(
            name: str, *, unit: str | None = None, attributes: Mapping[str, Any] | None = None
        ) -> Adding:
            return bound(kind, name, unit=unit, attributes=attributes).add

        quick = _quick if speedups is None else speedups.Verb
        verb = update_wrapper(quick(KINDS.index(kind), verb), verb)
        verb.bind = bind  # type: ignore[attr-defined]
        return verb  # type: ignore[return-value]

    return decorate


def _quick(kind: int, verb: Callable[..., None]) -> Callable[..., None]:
    """Make what adds to a series that is known already, and leaves all else to the verb."""

    def add(
        name: str,
        value: float = 1,
        *,
        unit: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        known, labelled = KNOWN[kind]
        try:
            if attributes is None:
                series = known[name]
            else:
                values_of, labels, series_of = labelled[name]
                # Other dictionaries may make up what they have not.
                is_alike = type(attributes) is dict and len(attributes) == labels
                series = series_of[values_of(attributes) if is_alike else series_of]
        except Exception:  # noqa: BLE001 - not known, or with a say of its own in being hashed
            verb(name, value, unit=unit, attributes=attributes)
            return
        values = series.values
        values.append(value)
        if len(values) > series.limit:
            _crowded(series)

    return add


def _crowded(series: Any) -> None:
    try:
        series.crowded()
    except Exception as error:  # noqa: BLE001 - the guard: the value is in its place already
        failed(series.kind, error)


@_bindable(COUNTER)
def count(
    name: str,
    value: float = 1,
    *,
    unit: str | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Add to a counter; the sum of each second is kept per set of attributes.

    `unit` is a UCUM code ("By", "s", "{order}"); the first one that is said stays. Up to
    `cardinality_limit` sets of attributes are told apart. `count.bind(name, ...)` gives a function
    of the value alone, which is the cheapest.
    """
    try:
        current().metrics.count(name, value, unit=unit, attributes=attributes)
    except Exception as error:  # noqa: BLE001 - the guard, without the price of a wrapper
        failed("count", error)


@_bindable(GAUGE)
def gauge(
    name: str,
    value: float = 1,
    *,
    unit: str | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Set a gauge; of each second the last, lowest and highest value are kept.

    A value after a second without one, and one unlike those before it, goes out at once.
    """
    try:
        current().metrics.gauge(name, value, unit=unit, attributes=attributes)
    except Exception as error:  # noqa: BLE001
        failed("gauge", error)


@_bindable(DISTRIBUTION)
def distribution(
    name: str,
    value: float = 1,
    *,
    unit: str | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Add one value to a distribution; any quantile of it is kept to within 2 %."""
    try:
        current().metrics.distribution(name, value, unit=unit, attributes=attributes)
    except Exception as error:  # noqa: BLE001
        failed("distribution", error)


histogram = distribution


class timer(EitherWith):  # noqa: N801 - a context manager reads like a function
    """Measure how long a block or every call of a function takes, as a distribution in seconds.

    `with`, `async with` or a decorator, of functions, coroutines and generators of both kinds.
    """

    __slots__ = ("_attributes", "_name", "_started")

    def __init__(self, name: str, *, attributes: Mapping[str, Any] | None = None) -> None:
        self._name = name
        self._attributes = attributes

    def __enter__(self) -> Self:
        """Start the clock."""
        self._started = perf_counter_ns()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the clock and keep what it shows, whether or not the block failed."""
        seconds = (perf_counter_ns() - self._started) / 1e9
        distribution(self._name, seconds, unit="s", attributes=self._attributes)

    def __call__(self, function: F) -> F:
        """Measure every call of `function`."""
        return around(function, lambda: timer(self._name, attributes=self._attributes))
