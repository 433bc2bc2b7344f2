"""Why a whole trace is kept: an error, slow, rare, the floor of its route, or its random bits."""

from __future__ import annotations

import msgspec

from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Span

from .consistent import NEVER, randomness_of
from .habits import Floor, Novelty, Pace, Route
from .rates import Rates

MOST_ROUTES = 10_000
_RARE_PER_S = 5.0


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What becomes of a trace: below `threshold` nothing of it passes."""

    is_kept: bool
    threshold: int = 0
    reason: str = ""


DROPPED = Verdict(is_kept=False, threshold=NEVER)
ERROR = Verdict(is_kept=True, reason="error")
_SLOW = Verdict(is_kept=True, reason="slow")
_RARE = Verdict(is_kept=True, reason="rare")
_FLOOR = Verdict(is_kept=True, reason="floor")


class Facts(msgspec.Struct, gc=False):
    """What a trace is judged by."""

    trace_id: str
    state: str
    head: Span
    """What began it, as far as is known."""
    resource: Resource
    route: Route
    duration_ns: int
    is_error: bool
    names: set[Route]
    """Services and names of all its spans."""


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to be kept."""

    rates: Rates
    slow_s: float = 0.0
    slow_quantile: float = 0.99
    rare_s: float = 300.0
    floor_per_minute: int = 5


class Policy:
    """Judges one trace after the other.

    None of the reasons looks at the trace's random bits but the last, so each kept trace stands
    for itself where it has another reason, and for 1 / rate where it has not: weights add up.
    """

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._slow_ns = int(wishes.slow_s * 1e9)
        self._pace = Pace(wishes.slow_quantile, most_routes=MOST_ROUTES)
        self._novelty = Novelty(wishes.rare_s, per_s=_RARE_PER_S, most=MOST_ROUTES)
        self._floor = Floor(wishes.floor_per_minute, most_routes=MOST_ROUTES)

    def judge(self, facts: Facts, now: int) -> Verdict:
        """The first reason there is."""
        # All of them look, so that what is usual is learnt from every trace; but a failed one is
        # decided upon at once, and its duration says nothing.
        is_rare = self._novelty.is_rare(facts.names, now)
        is_floor = self._floor.enter(facts.route, now)
        if facts.is_error:
            return ERROR
        is_slow = self._pace.is_slow(facts.route, facts.duration_ns)
        if is_slow or 0 < self._slow_ns <= facts.duration_ns:
            return _SLOW
        if is_rare or is_floor:
            return _RARE if is_rare else _FLOOR
        return self._by_chance(facts)

    def _by_chance(self, facts: Facts) -> Verdict:
        threshold = self._wishes.rates.of(facts.resource)(facts.head)
        if randomness_of(facts.trace_id, facts.state) < threshold:
            return DROPPED
        return Verdict(is_kept=True, threshold=threshold, reason="probability")
