"""Whether the engine answers: while it does not, nobody waits for it again and again."""

from __future__ import annotations

import time

from qmon_agent.domain.errors import StateAwayError

FIRST_S = 0.1


class Presence:
    """After each failure to connect, nothing is tried for twice as long; from any thread."""

    def __init__(self, most_s: float) -> None:
        """`most_s`: the longest such pause; 0 for an engine that is always there."""
        self.trouble = ""
        self.since_s = 0.0
        """When it was lost, by the wall clock."""
        self._most_s = most_s
        self._pause_s = 0.0
        self._not_before = 0.0

    def check(self) -> None:
        """Raise StateAwayError at once, if it is too early to try again."""
        if self.trouble and time.monotonic() < self._not_before:
            raise StateAwayError(self.trouble)

    def lost(self, problem: object) -> None:
        """It could not be reached, or went away in between."""
        if not self._most_s:
            return
        reason = str(problem).partition("\n")[0]
        self.since_s = self.since_s if self.trouble else time.time()
        self.trouble = f"the state database cannot be reached: {reason}"
        self._pause_s = min(max(2 * self._pause_s, FIRST_S), self._most_s)
        self._not_before = time.monotonic() + self._pause_s

    def found(self) -> None:
        """It answers."""
        if self.trouble:
            self.trouble, self._pause_s = "", 0.0
