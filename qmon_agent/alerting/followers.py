"""Alerts about other alerts: who follows whom, and what has changed that they have not seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from qmon_agent.domain.incidents import ACTIVE, Episode

from .evaluation import Cell
from .observed import Changed
from .watch import Watch

ROUNDS = 8
"""How many alerts may follow one another; those that follow in a circle stop here."""


class Followers:
    """Changes by alert, until they are shown to the watches that follow it."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[Watch]] = {}
        self._told_by_hand: list[Watch] = []
        self._changed: list[Changed] = []

    def refresh(self, watches: Iterable[Watch]) -> None:
        """Follow by what the alerts say now, and hear of everything that is not quiet."""
        every = [*watches]
        self._by_name = defaultdict(list)
        for watch in every:
            for name in watch.about.alerts:
                self._by_name[name].append(watch)
        self._told_by_hand = [watch for watch in every if watch.about.resolved_by_hand]
        for watch in every:
            for instance, cell in watch.cells.items():
                if cell.episode.unknown or cell.episode.state != "inactive":
                    self.note(watch.alert.name, instance, after=cell)

    def note(self, alert: str, instance: str, *, after: Cell, before: Cell | None = None) -> None:
        """Remember a change that somebody is to see, if anybody follows."""
        if alert not in self._by_name:
            return
        fires = _fires(after.episode)
        if before is None or fires is not _fires(before.episode):
            self._changed.append(
                Changed(alert=alert, instance=instance, labels=after.labels, fires=fires)
            )

    def resolved(self, alert: str, instance: str, after: Cell) -> None:
        """Remember that somebody has ended an incident, if anybody wants to know."""
        if self._told_by_hand:
            self._changed.append(
                Changed(
                    alert=alert, instance=instance, labels=after.labels, fires=False, by_hand=True
                )
            )

    def drain(self) -> list[tuple[Watch, tuple[Changed, ...]]]:
        """Who is to see which changes; they are forgotten with that."""
        changed, self._changed = tuple(self._changed), []
        names = {each.alert for each in changed}
        watches = dict.fromkeys(watch for name in names for watch in self._by_name.get(name, ()))
        if any(each.by_hand for each in changed):
            watches |= dict.fromkeys(self._told_by_hand)
        return [(watch, changed) for watch in watches]


def _fires(episode: Episode) -> bool | None:
    return None if episode.unknown else episode.state in ACTIVE
