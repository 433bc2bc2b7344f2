"""Opens what judges, and tries again while the state database is away."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Generic, TypeVar

from qmon_agent.domain.errors import StateAwayError

T = TypeVar("T")
FIRST_S = 0.25
MOST_S = 5.0


class Opening(Generic[T]):
    """Called on a thread; ends with what was opened, another error, or `give_up`."""

    def __init__(self, open_it: Callable[[], T], *, away: Callable[[str], None]) -> None:
        """`away` is told each time why it could not be opened, on the same thread."""
        self._open_it = open_it
        self._away = away
        self._is_given_up = Event()

    def __call__(self) -> T:
        pause_s = FIRST_S
        while True:
            try:
                return self._open_it()
            except StateAwayError as problem:
                self._away(str(problem))
                if self._is_given_up.wait(pause_s):
                    raise
                pause_s = min(2 * pause_s, MOST_S)

    def give_up(self) -> None:
        """Try no more: raises what was met last. From any thread."""
        self._is_given_up.set()
