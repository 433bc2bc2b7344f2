"""Incidents that fire, found by their ids, and what is told of what people do with them."""

from __future__ import annotations

import msgspec

from qmon_agent.domain.clock import Clock
from qmon_agent.domain.errors import QueryError
from qmon_agent.domain.incidents import ACTIVE, Transition

from .books import Books
from .evaluation import Cell
from .papers import ACKNOWLEDGED, Change, Telling
from .watch import Watch
from .watches import Watches

_NOT_FIRING = {"pending": ": it is pending still", "inactive": ": it is over"}


class Affected(msgspec.Struct, frozen=True):
    """An incident that fires, and where it stands."""

    watch: Watch
    instance: str
    cell: Cell


class Firing:
    """All that fires; called with the service's lock held."""

    def __init__(self, watches: Watches, *, books: Books, clock: Clock) -> None:
        self._watches = watches
        self._books = books
        self._clock = clock

    def find(self, incident: str) -> Affected | None:
        """The one of this id, if it fires."""
        for watch in self._watches:
            for instance, cell in watch.cells.items():
                if cell.incident == incident and cell.episode.state in ACTIVE:
                    return Affected(watch, instance, cell)
        return None

    def need(self, incident: str) -> Affected:
        """The same; raises QueryError that says why not."""
        found = self.find(incident)
        if found is None:
            why = _NOT_FIRING.get(self._books.state_of(incident), "")
            raise QueryError(f"no incident {incident!r} fires{why}")
        return found

    def tell(self, affected: Affected, *, reason: str, text: str = "") -> None:
        """Note that something was done with it, and tell of that whom it concerns."""
        watch, cell = affected.watch, affected.cell
        state, now = cell.episode.state, self._clock.now()
        change = Change(
            alert=watch.alert,
            system=watch.system,
            metric=watch.metric,
            instance=affected.instance,
            before=cell,
            after=msgspec.structs.replace(cell, text=text or cell.text),
            transitions=(Transition(before=state, after=state, reason=reason, at=now),),
        )
        by_tree = not cell.told and self._books.is_by_tree(watch.alert)
        # A silence holds it; the tree knows that itself, when it looks.
        is_held = bool(cell.told) and self._books.is_silenced(change.matched_labels, now)
        if is_held and reason != ACKNOWLEDGED:
            # When the silence is over, they hear that it fires, as newcomers do.
            after = watch.cells[affected.instance] = msgspec.structs.replace(cell, told=())
            self._books.keep((watch.alert.id, affected.instance), after)
        channels = () if is_held else cell.told
        self._books.note(change, Telling(channels=channels, by_tree=by_tree))
