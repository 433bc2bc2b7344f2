"""Too few of those who begin something come to its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.distinct import mark_of
from qmon_agent.domain.durations import parse_duration, print_duration
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.funnels import Crowd, Figure, figure, is_surely_lower, joined, since
from qmon_agent.domain.windows import BINS, width_of
from qmon_sdk.protocol.signals import Event

from . import About, Fact, Judgement
from ._lines import unknown
from ._series import name_of

MOST_STEPS = 16
KEPT = 200
"""So many figures are kept from now back to the one that is compared with."""
_ALL = 100
"""In percent."""


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step: an event of this name, with these attributes."""

    name: str
    where: dict[str, str] = {}

    def is_taken_by(self, event: Event) -> bool:
        return event.name == self.name and self.where.items() <= event.attributes.items()


class _Memory(msgspec.Struct, frozen=True, kw_only=True):
    crowd: Crowd = Crowd()
    at: int = 0
    now: Figure = Figure()
    past: list[tuple[int, Figure]] = []


class FunnelDropRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Compares the share of users who take all steps in order with a floor, and with the past."""

    steps: list[str | Step]
    """The events, in order: a name, or `{ name = "order placed", where = { plan = "pro" } }`."""
    below: float | None = None
    """The share of those who enter that has to come to the end at least, from 0 to 1."""
    drop: float | None = None
    """By how many percent the share may be lower than it was `baseline` ago."""
    system: str = ""
    """Only events of this service; empty means those of all services together."""
    by: Literal["user", "session"] = "user"
    """Who takes the steps."""
    within: str | float = "1h"
    """How long one may take from the first step to the last."""
    window: str | float = "1h"
    """How long users enter who are counted, up to `within` ago."""
    baseline: str | float = "7d"
    """How long ago the share was that `drop` is compared with."""
    minimum: int = 50
    """With fewer who entered nothing is known."""
    _steps: tuple[Step, ...] = ()
    _within_ns: int = 1
    _width_ns: int = 1
    _back: int = 1

    def __post_init__(self) -> None:
        self._steps = tuple(
            Step(name=step) if isinstance(step, str) else step for step in self.steps
        )
        self._within_ns = parse_duration(self.within)
        self._width_ns = width_of(parse_duration(self.window))
        self._back = parse_duration(self.baseline) // self._width_ns
        for is_wrong, option, problem in self._problems():
            if is_wrong:
                raise ConfigError(option, problem)

    def _problems(self) -> tuple[tuple[bool, str, str], ...]:
        below, drop = self.below, self.drop
        some_time = "has to be some time, as `1h`"
        return (
            (
                not 1 < len(self._steps) <= MOST_STEPS,
                "steps",
                f"a funnel has 2 to {MOST_STEPS} steps",
            ),
            (below is None and drop is None, "below", "say `below`, `drop` or both"),
            (below is not None and not 0 < below <= 1, "below", "is a share, from 0 to 1"),
            (drop is not None and not 0 < drop <= _ALL, "drop", "is in percent, from 0 to 100"),
            (
                drop is not None and 0 < drop < 1,
                "drop",
                f"is in percent, from 0 to 100: did you mean {_ALL * (drop or 0):g}?",
            ),
            (self._within_ns <= 0, "within", some_time),
            (parse_duration(self.window) <= 0, "window", some_time),
            (self._back < BINS, "baseline", "has to be a window ago at least"),
            (self.minimum < 1, "minimum", "has to be one at least"),
        )

    def about(self) -> About:
        return About(signals=("events",))

    def notice(self, batch: Observed) -> Iterator[Fact]:
        if self.system not in {"", batch.service}:
            return
        seen = [
            [mark_of(who), event.time or batch.time, steps]
            for event in batch.events
            if (steps := self._steps_of(event)) and (who := self._who(event))
        ]
        if seen:
            said = {"service": self.system, "environment": batch.environment}
            labels = {name: value for name, value in said.items() if value}
            detail = {"seen": seen}
            newest = max(time for _, time, _ in seen)
            yield Fact(instance=name_of(labels), labels=labels, event_time=newest, detail=detail)

    def _steps_of(self, event: Event) -> int:
        return sum(1 << n for n, step in enumerate(self._steps) if step.is_taken_by(event))

    def _who(self, event: Event) -> str:
        user = event.user_id or event.anonymous_id
        if self.by == "session":
            return event.session_id or user
        return user or event.session_id

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        known = msgspec.convert(memory, _Memory)
        at = max(now // self._width_ns, known.at)
        crowd = known.crowd
        if fact is not None:
            told = [(mark, min(time, now), bits) for mark, time, bits in fact.detail["seen"]]
            crowd = joined(crowd, told, steps=len(self._steps))
        known = msgspec.structs.replace(known, crowd=crowd)
        if at != known.at:
            known = self._counted(known, at)
        kept = msgspec.to_builtins(known)
        wake = (at + 1) * self._width_ns if known.crowd.users else None
        return self._compared(known, kept, wake)

    def _counted(self, known: _Memory, at: int) -> _Memory:
        """With the figure of those whose time is over now, and with those of the past."""
        until = at * self._width_ns - self._within_ns
        entries = until - self._width_ns * BINS, until
        crowd = since(known.crowd, entries[0])
        steps = len(self._steps)
        newest = figure(crowd.users, entries, steps=steps, within_ns=self._within_ns)
        past, step = known.past, max(1, self._back // KEPT)
        if self.drop is not None and (not past or at - past[-1][0] >= step):
            oldest = at - self._back - 2 * step
            past = [*(each for each in past if each[0] >= oldest), (at, newest)]
        return _Memory(crowd=crowd, at=at, now=newest, past=past)

    def _before(self, known: _Memory) -> Figure | None:
        """What it was `baseline` ago, where enough entered then."""
        step = max(1, self._back // KEPT)
        for at, then in reversed(known.past):
            if at <= known.at - self._back:
                is_near = at >= known.at - self._back - 2 * step
                return then if is_near and then.entered >= self.minimum else None
        return None

    def _compared(self, known: _Memory, memory: dict[str, Any], wake: int | None) -> Judgement:
        newest = known.now
        if newest.entered < self.minimum:
            return unknown(memory, "too_few_users", wake)
        before = self._before(known) if self.drop is not None else None
        if before is None and self.below is None:
            return unknown(memory, "no_baseline", wake)
        is_below = self.below is not None and newest.share < self.below
        is_bad = is_below or (before is not None and self._has_dropped(newest, before))
        return Judgement(
            verdict="breach" if is_bad else "clear",
            memory=memory,
            wake=wake,
            value=newest.share,
            text=self._text(known, before),
        )

    def _has_dropped(self, newest: Figure, before: Figure) -> bool:
        least = before.share * (1 - (self.drop or 0) / 100)
        return newest.share <= least and is_surely_lower(newest, before)

    def _text(self, known: _Memory, before: Figure | None) -> str:
        newest, sample = known.now, " (a sample)" if known.crowd.is_sample else ""
        way = f"{self._steps[0].name} to {self._steps[-1].name}"
        said = f"{100 * newest.share:.3g} % of {newest.entered} {self.by}s{sample} came from {way}"
        if before is None:
            return said
        ago = print_duration(parse_duration(self.baseline))
        return f"{said}; {ago} before it was {100 * before.share:.3g} % of {before.entered}"
