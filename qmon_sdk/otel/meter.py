"""OpenTelemetry's meter provider and meters, on qmon's metrics."""

from __future__ import annotations

from opentelemetry import metrics as api

from qmon_sdk.rendering import label
from qmon_sdk.start import flush

from .instruments import Counter, Gauge, Histogram, UpDownCounter
from .observing import (
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    Observed,
    Observer,
)
from .resource import Resource, Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    T = TypeVar("T")


class MeterProvider(api.MeterProvider):
    """Gives meters whose numbers qmon adds up; with no client in charge they go nowhere."""

    def __init__(self, *, resource: Any = None) -> None:
        self.resource = resource or Resource()
        self._observer = Observer()
        self._meters: dict[tuple[str | None, ...], Meter] = {}
        self._is_open = True

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> api.Meter:
        """Return the meter of a library."""
        if not self._is_open:
            return api.NoOpMeter(name, version, schema_url)
        key = (label(name), label(version), label(schema_url))
        found = self._meters.get(key)
        if found is None:
            made = Meter(Scope(*key, attributes), self._observer)
            found = self._meters.setdefault(key, made)
        return found

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Ask every observable instrument, and send what there is."""
        return flush(timeout_millis / 1000)

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """Send what there is, and ask nobody any more; qmon's client goes on."""
        if self._is_open:
            self._is_open = False
            flush(min(timeout_millis / 1000, 2.0))
            self._observer.end()


class Meter(api.Meter):
    """Makes the instruments of one library; the same name is the same instrument."""

    def __init__(self, scope: Scope, observer: Observer) -> None:
        super().__init__(scope.name, scope.version or None, scope.schema_url or None)
        self._labels = scope.labels()
        self._observer = observer
        self._made: dict[tuple[type, str, str], Any] = {}

    def create_counter(self, name: str, unit: str = "", description: str = "") -> api.Counter:
        """Make a sum that only grows."""
        return self._once(Counter, name, unit, description)

    def create_up_down_counter(
        self, name: str, unit: str = "", description: str = ""
    ) -> api.UpDownCounter:
        """Make a sum that goes up and down."""
        return self._once(UpDownCounter, name, unit, description)

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> api.Histogram:
        """Make a distribution."""
        return self._once(Histogram, name, unit, description)

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Any:
        """Make a value that is set."""
        return self._once(Gauge, name, unit, description)

    def create_observable_counter(
        self,
        name: str,
        callbacks: Sequence[Any] | None = None,
        unit: str = "",
        description: str = "",
    ) -> api.ObservableCounter:
        """Make a sum that only grows, and is read by callbacks."""
        return self._asked(
            ObservableCounter(name, callbacks, unit, description, labels=self._labels)
        )

    def create_observable_up_down_counter(
        self,
        name: str,
        callbacks: Sequence[Any] | None = None,
        unit: str = "",
        description: str = "",
    ) -> api.ObservableUpDownCounter:
        """Make a sum that goes up and down, and is read by callbacks."""
        return self._asked(
            ObservableUpDownCounter(name, callbacks, unit, description, labels=self._labels)
        )

    def create_observable_gauge(
        self,
        name: str,
        callbacks: Sequence[Any] | None = None,
        unit: str = "",
        description: str = "",
    ) -> api.ObservableGauge:
        """Make a value that is read by callbacks."""
        return self._asked(ObservableGauge(name, callbacks, unit, description, labels=self._labels))

    def _once(self, kind: Callable[..., T], name: str, unit: str, description: str) -> T:
        name, unit = label(name), label(unit)
        key = (kind, name.lower(), unit)
        found = self._made.get(key)  # type: ignore[arg-type]
        if found is None:
            found = self._made.setdefault(key, kind(name, unit, description, labels=self._labels))  # type: ignore[arg-type]
            if isinstance(found, UpDownCounter):
                self._observer.add_up(found)
        return found  # type: ignore[no-any-return]

    def _asked(self, observed: T) -> T:
        if isinstance(observed, Observed):
            self._observer.ask(observed)
        return observed
