"""The demo, from its first process to its last number."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import msgspec

from qmon_agent.cli.demo_crowd import Crowd
from qmon_agent.cli.demo_facts import Facts, counts, read
from qmon_agent.cli.demo_receiver import Arrival, Receiver
from qmon_agent.cli.demo_stage import Stage

_LOOK_S = 1.0
_DRAIN_S = 30.0
_TICK_S = 0.1
_ALERT_S = 10.0


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands while the crowd is in."""

    elapsed_s: float
    seconds: int
    facts: Facts
    arrivals: list[Arrival]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended: `captured` and `dropped` as the SDK tells, the rest as the agent has it."""

    seconds: int
    elapsed_s: float
    interrupted: bool
    facts: Facts
    arrivals: list[Arrival]
    captured: int
    dropped: dict[str, int]
    state: str

    @property
    def stored(self) -> int:
        return sum(self.facts.counts.values())

    @property
    def adds_up(self) -> bool:
        return self.captured == self.stored + sum(self.dropped.values())

    @property
    def delays_ms(self) -> list[float]:
        return sorted(arrival.delay_ms for arrival in self.arrivals)

    def document(self) -> dict[str, Any]:
        """The summary as `--json` prints it."""
        facts: dict[str, Any] = msgspec.to_builtins(self.facts)
        delays = self.delays_ms
        return {
            "version": 1,
            "seconds": self.seconds,
            "elapsed_s": round(self.elapsed_s, 1),
            "interrupted": self.interrupted,
            **facts.pop("counts"),
            "captured": self.captured,
            "stored": self.stored,
            "dropped": sum(self.dropped.values()),
            "dropped_by_reason": self.dropped,
            "adds_up": self.adds_up,
            "alerts_delivered": len(delays),
            "alert_delay_ms_p50": round(statistics.median(delays), 1) if delays else None,
            "alert_delay_ms_max": round(delays[-1], 1) if delays else None,
            "alerts": [_shown(arrival) for arrival in self.arrivals],
            **facts,
            "state": self.state or None,
        }


def _shown(arrival: Arrival) -> dict[str, Any]:
    delay_ms = round(arrival.delay_ms, 1)
    return {"alert": arrival.alert, "title": arrival.title, "delay_ms": delay_ms}


def play(
    seconds: int, *, keep: bool, look: Callable[[Moment], None], is_over: Callable[[], bool]
) -> Outcome:
    """Run the demo, and show it to `look` every second until `is_over`; nothing is left running."""
    receiver = Receiver()
    receiver.start()
    try:
        with Stage(receiver.url) as stage:
            stage.keep = keep
            return _Play(stage, receiver, is_over).run(seconds, look)
    finally:
        receiver.stop()


class _Play:
    """One run, on its stage."""

    def __init__(self, stage: Stage, receiver: Receiver, is_over: Callable[[], bool]) -> None:
        self._stage = stage
        self._receiver = receiver
        self._is_over = is_over

    def run(self, seconds: int, look: Callable[[Moment], None]) -> Outcome:
        self._stage.start_agent()
        shop, port = self._stage.start_shop()
        crowd = Crowd(port)
        crowd.start()
        try:
            elapsed_s = self._watch(seconds, look)
        finally:
            crowd.stop()
        books = self._stage.close_shop(shop)
        self._settle(sum(books["captured"].values()) - sum(books["dropped"].values()))
        return Outcome(
            seconds=seconds,
            elapsed_s=elapsed_s,
            interrupted=self._is_over(),
            facts=read(self._stage.control),
            arrivals=self._receiver.firing,
            captured=sum(books["captured"].values()),
            dropped=books["dropped"],
            state=str(self._stage.directory) if self._stage.keep else "",
        )

    def _watch(self, seconds: int, look: Callable[[Moment], None]) -> float:
        """Look once a second, and answer how long it was."""
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds and not self._is_over():
            facts = read(self._stage.control)
            arrivals = self._receiver.firing
            look(Moment(elapsed_s=elapsed, seconds=seconds, facts=facts, arrivals=arrivals))
            _until(self._is_over, min(_LOOK_S, began + seconds - time.monotonic()))
        return elapsed

    def _settle(self, expected: int) -> None:
        """Wait for what is on its way; for an alert that may never come only while nobody waits."""
        control, receiver = self._stage.control, self._receiver
        _until(lambda: sum(counts(control).values()) >= expected, _DRAIN_S)
        _until(lambda: self._is_over() or bool(receiver.firing), _ALERT_S)


def _until(is_so: Callable[[], bool], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while not is_so() and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(_TICK_S, left))
