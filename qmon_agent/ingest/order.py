"""Lines of one moment told apart by nanoseconds, so that they stay in the order they came in."""

from __future__ import annotations

from collections.abc import Sequence

from qmon_sdk.protocol.signals import Error, Log, Signal


class Order:
    """Of one stream of lines; kept from batch to batch. Used from one thread at a time."""

    def __init__(self) -> None:
        self._lines: dict[int, int] = {}
        self._last = 0

    def begin(self) -> None:
        """Another batch, which may go on with the moment at which the one before ended."""
        self._lines = {self._last: self._lines.get(self._last, 0)}

    def place(self, time: int) -> int:
        """How many lines of just this moment came before."""
        self._last = time
        place = self._lines.get(time, 0)
        self._lines[time] = place + 1
        return place


def told_apart(signals: Sequence[Signal], order: Order) -> Sequence[Signal]:
    """What one line says, so many nanoseconds later as lines of the same moment came before it."""
    time = next((one.time for one in signals if isinstance(one, Log | Error)), 0)
    place = order.place(time) if time else 0
    if not place:
        return signals
    return [one.replace(time=time + place) for one in signals]
