"""Being asked for numbers by qmon's own thread, for as long as the one to be asked exists."""

from __future__ import annotations

import os
from weakref import WeakMethod

from qmon_sdk.client import current
from qmon_sdk.fold import POLLED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL"  # in milliseconds
_USUAL_S = 10.0


def interval_s() -> float:
    """Return how many seconds lie between two questions."""
    said = os.environ.get(_INTERVAL, "").strip()
    return int(said) / 1000 if said.isascii() and said.isdigit() else _USUAL_S


class Question:
    """Asks one method, and keeps nobody alive by that."""

    def __init__(self, method: Any) -> None:
        self._method = WeakMethod(method)

    def begin(self) -> None:
        """Be asked from now on."""
        if self not in POLLED:
            POLLED.append(self)
        current().metrics.wake()

    def end(self) -> None:
        """Be asked no more."""
        if self in POLLED:
            POLLED.remove(self)

    def __call__(self, *, now: bool) -> Any:
        """Ask."""
        method = self._method()
        if method is None:
            self.end()
            return None
        return method(now=now)
