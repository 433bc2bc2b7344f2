"""What nobody is to hear of now: silences, and what something worse explains."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from secrets import token_hex
from threading import Lock
from typing import Protocol

from msgspec.structs import replace

from qmon_agent.domain.alarms.groups import Alarm
from qmon_agent.domain.alarms.inhibition import inhibitors, sources_of
from qmon_agent.domain.alarms.matchers import Labels, all_hold
from qmon_agent.domain.alarms.silences import (
    Silence,
    after_firing,
    expire,
    problems_of,
    silencers,
)
from qmon_agent.domain.clock import Clock
from qmon_agent.domain.errors import QueryError

from .maintenance import Windows
from .routing_plan import Plan

_MOST_OVER = 1_000
"""So many silences that are over are remembered, for those who hear of things only after them."""


class SilenceStore(Protocol):
    """Where silences are kept."""

    def put(self, silences: list[Silence]) -> None: ...
    def lasting(self) -> list[Silence]: ...
    def all(self) -> list[Silence]: ...


class Muting:
    """Silences from any thread; of what fires it hears from the one that judges."""

    def __init__(self, store: SilenceStore, clock: Clock, windows: Windows) -> None:
        self.windows = windows
        self._store = store
        self._clock = clock
        self._lock = Lock()
        self._silences: tuple[Silence, ...] = tuple(store.lasting())
        lasting = {each.id for each in self._silences}
        over = [each for each in store.all() if each.id not in lasting]
        self._over: tuple[Silence, ...] = tuple(over[-_MOST_OVER:])
        self._firing: dict[str, Labels] = {}
        self._active: tuple[str, ...] = ()

    # From any thread.

    def add(self, silence: Silence) -> Silence:
        """Keep a silence, on disk before it holds; raises QueryError for one that may not be."""
        if wrong := problems_of(silence):
            raise QueryError(f"no silence: {'; '.join(wrong)}")
        made = replace(silence, id=silence.id or token_hex(8))
        with self._lock:
            self._store.put([made])
            self._silences = (*self._silences, made)
        return made

    def expire(self, name: str) -> Silence | None:
        """End a silence now; `None` when there is none of this id that lasts."""
        with self._lock:
            now = self._clock.now()
            lasting = (each for each in self._silences if each.state(now) != "expired")
            found = next((each for each in lasting if each.id == name), None)
            return self._replace(found, expire(found, now)) if found else None

    def all(self) -> list[Silence]:
        """Every silence that is not forgotten."""
        return self._store.all()

    def is_silenced(self, labels: Labels, now: int) -> bool:
        """By a silence, or by work on something."""
        if self._silences and silencers(self._silences, labels, now):
            return True
        return any(True for _ in self.windows.muting(labels, now))

    def of(self, labels: Labels, *, since: int, until: int) -> list[Silence]:
        """The silences for such labels, in a time, as far as they are not forgotten."""
        return [each for each in self._store.all() if _held(each, labels, since=since, until=until)]

    # From the thread that judges.

    def was_silenced(self, labels: Labels, *, since: int, until: int) -> bool:
        """By a silence that is over."""
        return any(_held(each, labels, since=since, until=until) for each in self._over)

    def by(
        self, plan: Plan | None, each_of: Iterable[Labels], now: int
    ) -> Iterator[tuple[str, ...]]:
        """What mutes each alert with such labels: a silence, a window, or what fires besides."""
        rules = plan.inhibit_rules if plan else ()
        sources = sources_of(rules, self._firing)
        for labels in each_of:
            silences = (f"silence {name}" for name in silencers(self._silences, labels, now))
            windows = (f"maintenance {name}" for name in self.windows.muting(labels, now))
            worse = inhibitors(rules, labels, sources)
            yield (*silences, *windows, *(f"incident {name}" for name in worse))

    def begins(self, incident: str, labels: Labels, now: int) -> None:
        """It fires from now on."""
        self._firing[incident] = labels
        self.windows.fail(labels, now)

    def ends(self, incident: str) -> None:
        """It is over."""
        self._firing.pop(incident, None)

    def mutes(self, plan: Plan, alarms: Iterable[Alarm], now: int) -> Collection[str]:
        """Of these alarms, those that nobody is to hear of."""
        if not self._silences and not plan.inhibit_rules and not self.windows.are_there:
            return ()
        return frozenset(self._muted(plan, alarms, now))

    def look(self, now: int) -> bool:
        """Let time pass; whether one has begun or ended, and others may have to hear of things."""
        in_use = self.windows.in_use(now)
        if not self._silences:
            return self._settle(in_use)
        with self._lock:
            for silence in self._silences:
                after = after_firing(silence, self._firing.values(), now)
                if after != silence:
                    self._replace(silence, after)
            over = tuple(each for each in self._silences if each.state(now) == "expired")
            self._over = (*self._over, *over)[-_MOST_OVER:]
            self._silences = tuple(each for each in self._silences if each.state(now) != "expired")
            active = tuple(each.id for each in self._silences if each.state(now) == "active")
            # Also one that has begun and ended since the last look.
            return self._settle((*active, *in_use)) or bool(over)

    def _settle(self, active: tuple[str, ...]) -> bool:
        changed, self._active = active != self._active, active
        return changed

    def _muted(self, plan: Plan, alarms: Iterable[Alarm], now: int) -> Iterator[str]:
        sources = sources_of(plan.inhibit_rules, self._firing)
        for alarm in alarms:
            if self.is_silenced(alarm.labels, now) or inhibitors(
                plan.inhibit_rules, alarm.labels, sources
            ):
                yield alarm.id

    def _replace(self, old: Silence, new: Silence) -> Silence:
        self._store.put([new])
        self._silences = tuple(new if each.id == old.id else each for each in self._silences)
        return new


def _held(silence: Silence, labels: Labels, *, since: int, until: int) -> bool:
    """Whether it kept people from hearing of what has such labels, at any moment of a time."""
    is_then = silence.starts_at < until and since < silence.ends_at
    return is_then and all_hold(silence.matchers, labels)
