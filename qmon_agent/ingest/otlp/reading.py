"""What the readers of all three lanes share while they read one message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Signal

from .encoding import Encoding
from .resources import resource_of, scope_labels

LAST_TIME = (1 << 63) - 1
"""Ours are signed: what lies beyond the year 2262 has no place."""

Labels = dict[str, str]


class Reading:
    """One message: its signals by who speaks, and what of it could not be taken."""

    def __init__(self, encoding: Encoding, *, now: int) -> None:
        self.encoding = encoding
        self.now = now
        self.labels = encoding.pairs().labels
        self.rejected: dict[str, int] = {}
        self.exemplars = 0
        self._groups: dict[tuple[bytes, ...], tuple[Resource, list[Signal]]] = {}

    def signals_of(self, resource: Any) -> list[Signal]:
        """The list to which signals of a resource are added; equal resources have one."""
        raws = tuple(map(bytes, resource.attributes or ()))
        group = self._groups.get(raws)
        if group is None:
            group = self._groups[raws] = (resource_of(self.labels(resource.attributes)), [])
        return group[1]

    def scope(self, told: Any) -> Labels:
        """What is to stand beside the attributes of every signal of a library."""
        return scope_labels(told, self.labels(told.attributes))

    def reject(self, reason: str, count: int = 1) -> None:
        """Count what is not taken; its sender is told, and does not send it again."""
        self.rejected[reason] = self.rejected.get(reason, 0) + count

    def time(self, *told: int) -> int:
        """The first that was said, or now; -1 where it has no place in our calendar.

        Each now is a nanosecond later than the one before, so that what came stays in its order.
        """
        for time in told:
            if time:
                return time if 0 <= time <= LAST_TIME else -1
        self.now += 1
        return self.now - 1

    @property
    def groups(self) -> tuple[tuple[Resource, list[Signal]], ...]:
        return tuple(group for group in self._groups.values() if group[1])


def added(labels: Labels, pairs: Iterable[tuple[str, Any]]) -> None:
    """Add those that say something."""
    for key, value in pairs:
        if value:
            labels[key] = str(value)
