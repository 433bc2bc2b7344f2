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


def play(seconds: int, *, keep: bool, look: Callable[[Moment], None]) -> Outcome:
    """Run the demo, and show it to `look` every second; nothing is left running."""
    receiver = Receiver()
    receiver.start()
    try:
        with Stage(receiver.url) as stage:
            stage.keep = keep
            return _played(stage, receiver, seconds=seconds, look=look)
    finally:
        receiver.stop()


def _played(
    stage: Stage, receiver: Receiver, *, seconds: int, look: Callable[[Moment], None]
) -> Outcome:
    stage.start_agent()
    shop, port = stage.start_shop()
    crowd = Crowd(port)
    crowd.start()
    try:
        _watch(stage, receiver, seconds=seconds, look=look)
    finally:
        crowd.stop()
    books = stage.close_shop(shop)
    captured = sum(books["captured"].values())
    expected = captured - sum(books["dropped"].values())
    _until(lambda: sum(counts(stage.control).values()) >= expected, _DRAIN_S)
    _until(lambda: bool(receiver.firing), _ALERT_S)
    return Outcome(
        seconds=seconds,
        facts=read(stage.control),
        arrivals=receiver.firing,
        captured=captured,
        dropped=books["dropped"],
        state=str(stage.directory) if stage.keep else "",
    )


def _watch(
    stage: Stage, receiver: Receiver, *, seconds: int, look: Callable[[Moment], None]
) -> None:
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        facts = read(stage.control)
        look(Moment(elapsed_s=elapsed, seconds=seconds, facts=facts, arrivals=receiver.firing))
        left = began + seconds - time.monotonic()
        time.sleep(max(0.0, min(_LOOK_S, left)))


def _until(is_so: Callable[[], bool], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.1)
