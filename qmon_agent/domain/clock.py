"""Time as a value: the only door through which the agent learns what time it is."""

from __future__ import annotations

import time
from typing import Protocol

SECOND = 1_000_000_000


class Clock(Protocol):
    """Asked at the edges only; the core is given `now`."""

    def now(self) -> int:
        """Nanoseconds since 1970 in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Nanoseconds since 1970 in UTC, as the machine believes."""
        return time.time_ns()


class HandClock:
    """A clock whose hand is turned by whoever holds it."""

    def __init__(self, now: int = 1_700_000_000 * SECOND) -> None:
        """Start at a fixed moment."""
        self._now = now

    def now(self) -> int:
        """The moment the hand points at."""
        return self._now

    def turn(self, seconds: float) -> int:
        """Move the hand, backwards too, and read it."""
        self._now += round(seconds * SECOND)
        return self._now
