"""How fast a sink is served: batches, pauses between attempts, the circuit breaker; all pure."""

from __future__ import annotations

from random import Random
from typing import Literal

import msgspec

MOST_RETRY_AFTER_S = 3_600.0

State = Literal["closed", "open", "half-open"]


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Batches end by bytes or by time; attempts come exponentially later, jittered."""

    batch_bytes: int = 256 << 10
    """Bytes of the journal that make a batch full; one frame may be more."""
    wait_s: float = 1.0
    """How long a batch that is not full waits for more."""
    first_s: float = 0.5
    factor: float = 2.0
    most_s: float = 60.0
    jitter: float = 0.2
    failures: int = 5
    """After so many failures in a row the breaker opens."""
    open_s: float = 30.0
    """How long it stays open before one attempt shows whether it may close."""


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """Closed while all is well; open while nothing is tried; half-open for the one attempt."""

    failures: int = 0
    state: State = "closed"

    def failed(self, pace: Pace) -> Breaker:
        failures = self.failures + 1
        return Breaker(failures=failures, state="open" if failures >= pace.failures else "closed")

    def tried(self) -> Breaker:
        """Before an attempt: an open one is half-open while it lasts."""
        return Breaker(
            failures=self.failures, state="half-open" if self.state == "open" else self.state
        )


CLOSED = Breaker()


def pause_s(breaker: Breaker, asked_s: float, *, pace: Pace, chance: Random) -> float:
    """Until the next attempt: what the other side asks for, or longer."""
    grown = pace.first_s * pace.factor ** min(breaker.failures - 1, 40)
    least = pace.open_s if breaker.state == "open" else 0.0
    spread = 1 + chance.uniform(-pace.jitter, pace.jitter)
    wanted = max(min(grown, pace.most_s), least) * spread
    return max(wanted, min(asked_s, MOST_RETRY_AFTER_S))
