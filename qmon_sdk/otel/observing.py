"""Instruments that are asked: by qmon's own thread, which is there anyway."""

from __future__ import annotations

from collections.abc import Generator
from time import monotonic

from opentelemetry import metrics as api
from opentelemetry.metrics import CallbackOptions

from qmon_sdk.client import current
from qmon_sdk.rendering import label
from qmon_sdk.series import COUNTER, GAUGE

from .instruments import Measure
from .polled import Question, interval_s
from .strangers import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from .instruments import UpDownCounter

_OPTIONS = CallbackOptions()


class Observer:
    """Asks the instruments of one provider, every so often and at each flush."""

    def __init__(self) -> None:
        self._asked: list[Observed] = []
        self._sums: list[UpDownCounter] = []
        self._due = 0.0
        self._interval = interval_s()
        self._question = Question(self.poll)

    def ask(self, observed: Observed) -> None:
        """Ask an instrument from now on."""
        observed.observer = self  # who holds on to an instrument wants it asked
        self._asked.append(observed)
        self._question.begin()

    def add_up(self, sums: UpDownCounter) -> None:
        """Tell what an up-down counter comes to from now on."""
        sums.observer = self
        self._sums.append(sums)
        self._question.begin()

    def end(self) -> None:
        """Ask nobody any more."""
        self._question.end()

    def poll(self, *, now: bool) -> None:
        """Ask, if it is time or has to be `now`; what has changed by itself is told in any case."""
        if not current().recording:
            return
        is_due = now or monotonic() >= self._due
        for sums in self._sums:
            sums.poll(everything=is_due)
        if is_due:
            self._due = monotonic() + self._interval
            for observed in self._asked:
                observed.poll()


class Observed:
    """What observable instruments have in common: callbacks that give observations."""

    kind = GAUGE
    observer: Observer

    def __init__(
        self,
        name: str,
        callbacks: Sequence[Any] | None = None,
        unit: str = "",
        description: str = "",
        *,
        labels: Mapping[str, str],
    ) -> None:
        self.description = description
        self._measure = Measure(self.kind, name, unit, labels)
        is_list = isinstance(callbacks, list | tuple)
        made = [_called(callback) for callback in callbacks or ()] if is_list else []
        self._callbacks = [callback for callback in made if callback is not None]
        self._before: dict[Any, float] = {}

    def poll(self) -> None:
        """Ask every callback; one that fails keeps no other from being asked."""
        for callback in self._callbacks:
            try:
                for observation in callback(_OPTIONS):
                    self._take(observation.value, observation.attributes or {})
            except Exception as error:  # noqa: BLE001 - the application's own code
                count(f"observe {self._measure.name}", error)

    def _take(self, value: float, attributes: Mapping[str, Any]) -> None:
        if self.kind == COUNTER:
            value = self._since(value, attributes)
            if not value:
                return
        self._measure.take(value, attributes)

    def _since(self, value: float, attributes: Mapping[str, Any]) -> float:
        """Say how much was added since the last time; a counter that fell has begun anew."""
        key = tuple(sorted((name, label(said)) for name, said in attributes.items()))
        before, self._before[key] = self._before.get(key, 0), value
        return value - before if value >= before else value


def _called(callback: Any) -> Callable[[CallbackOptions], Iterable[Any]] | None:
    """Make a function of a callback, which may also be a generator that is sent the options."""
    if not isinstance(callback, Generator):
        return callback if callable(callback) else None
    try:
        next(callback)
    except Exception as error:  # noqa: BLE001 - the application's own code
        count("observe", error)
        return None

    def send(options: CallbackOptions) -> Iterable[Any]:
        try:
            return callback.send(options) or ()
        except StopIteration:
            return ()

    return send


class ObservableCounter(Observed, api.ObservableCounter):
    """A sum that only grows, and is read."""

    kind = COUNTER


class ObservableUpDownCounter(Observed, api.ObservableUpDownCounter):
    """A sum that goes up and down, and is read."""


class ObservableGauge(Observed, api.ObservableGauge):
    """A value that is read."""
