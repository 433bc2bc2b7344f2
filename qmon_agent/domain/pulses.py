"""Whether a loop still turns: since when it is at one turn, and how long that may take."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pulse:
    """A loop's own word about itself; said by the loop, and read from any thread.

    Waiting for work is no turn: who has nothing to do may rest for ever.
    """

    __slots__ = ("_limit_s", "_now", "_since")

    def __init__(self, limit_s: float, *, now: Callable[[], float] = time.monotonic) -> None:
        """`limit_s` is more than any turn takes that is not stuck."""
        self._limit_s = limit_s
        self._now = now
        self._since: float | None = None

    def begin(self) -> None:
        """A turn begins, or goes on with its next step."""
        self._since = self._now()

    def rest(self) -> None:
        self._since = None

    def __enter__(self) -> None:
        self.begin()

    def __exit__(self, *_: object) -> None:
        self.rest()

    @property
    def trouble(self) -> str:
        """What is wrong with it; nothing while it turns or rests."""
        since = self._since
        taken_s = 0.0 if since is None else self._now() - since
        return f"stuck in one turn for {taken_s:.0f} s" if taken_s > self._limit_s else ""
