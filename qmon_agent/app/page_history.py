"""What became of each component of a status page, from incidents and maintenance windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from qmon_agent.domain.alarms.components import Component, Page, merged, troubles
from qmon_agent.domain.alarms.window_spans import in_use
from qmon_agent.domain.alarms.windows import Window, is_about
from qmon_agent.domain.availability import (
    Day,
    Span,
    State,
    Stretch,
    by_day,
    day_begins,
    excused,
    overlapping,
    timeline,
)
from qmon_agent.store.state.chronicle import Chronicle, Episode

DAYS = 90


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """One component: how it is, and how it was."""

    component: Component
    state: State
    since: int
    days: tuple[Day, ...]
    windows: tuple[Window, ...]
    """Maintenance that is about it."""
    troubles: Mapping[str, Sequence[Stretch]]
    """Incident → when it was one, but for maintenance."""


def shown_since(page: Page, now: int) -> int:
    """The beginning of the first day that is shown."""
    return day_begins(now, page.zone, days_before=DAYS - 1)


class Past:
    """The time that is shown, up to a moment which is in it still."""

    def __init__(
        self, page: Page, chronicle: Chronicle, windows: Iterable[Window], *, now: int
    ) -> None:
        self.page = page
        self.chronicle = chronicle
        self.now = now
        self._since = shown_since(page, now)
        self._windows = tuple(windows)
        self._spans = {each.name: self._in_use(each) for each in self._windows}
        self._merged: dict[tuple[str, ...], list[Span]] = {}

    def courses(self) -> list[Course]:
        """One for each component, in the order of the page."""
        return [self._course(each) for each in self.page.components]

    def _course(self, component: Component) -> Course:
        own = tuple(each for each in self._windows if _concerns(each, component))
        found: list[Stretch] = []
        real: dict[str, list[Stretch]] = {}
        for episode in self.chronicle.episodes:
            if component.has(episode.alert, episode.labels):
                pieces = self._pieces(component, episode)
                found += pieces
                lasting = [each for each in pieces if each.state != "under_maintenance"]
                if lasting:
                    real[episode.id] = lasting
        for window in own:
            found += [Stretch(*span, "under_maintenance") for span in self._spans[window.name]]
        since = self._known_since(component)
        line = timeline(found, since, self.now + 1)
        return Course(
            component=component,
            state=line[-1].state if line else "operational",
            since=since,
            days=tuple(by_day(line, self.page.zone)),
            windows=own,
            troubles=real,
        )

    def _pieces(self, component: Component, episode: Episode) -> list[Stretch]:
        met = troubles(
            episode.transitions,
            severity=episode.severity,
            usual_severity=episode.usual_severity,
            states=self.page.states,
            now=self.now + 1,
        )
        work = self._work(
            tuple(
                window.name
                for window in self._windows
                if window.name in component.windows or is_about(window, episode.labels)
            )
        )
        return [piece for each in met for piece in excused(each, overlapping(work, each))]

    def _work(self, windows: tuple[str, ...]) -> list[Span]:
        """When one of these was in use; the same for many incidents."""
        if windows not in self._merged:
            spans = (span for name in windows for span in self._spans[name])
            self._merged[windows] = merged(spans)
        return self._merged[windows]

    def _in_use(self, window: Window) -> list[Span]:
        failures = (
            each.fired_at for each in self.chronicle.episodes if is_about(window, each.labels)
        )
        return merged(in_use(window, failures, since=self._since, until=self.now + 1))

    def _known_since(self, component: Component) -> int:
        """Before its alerts were made, nobody looked."""
        made = self.chronicle.alerts
        own = [made[name] for name in component.alerts if name in made]
        first = min(own or made.values(), default=self.now)
        return max(self._since, min(first, self.now))


def _concerns(window: Window, component: Component) -> bool:
    named = window.name in component.windows
    return named or any(is_about(window, labels) for labels in component.likeness)
