"""Ends that no rule has found: by hand, or as the alert is there no more."""

from __future__ import annotations

import msgspec

from qmon_agent.domain.clock import Clock
from qmon_agent.domain.incidents import close

from .books import Books
from .evaluation import Cell
from .followers import Followers
from .papers import REMOVED, Change
from .telling import Teller
from .watch import Lasting, Watch


class Endings:
    """Ends incidents; called by the one that judges."""

    def __init__(self, books: Books, teller: Teller, *, followers: Followers, clock: Clock) -> None:
        self._books = books
        self._teller = teller
        self._followers = followers
        self._clock = clock

    def resolve(self, watch: Watch, instance: str, *, reason: str = "resolved_by_hand") -> None:
        """End what an instance has; a breach that is seen after that begins another."""
        after = self._close(watch.lasting(instance), reason=reason)
        after = msgspec.structs.replace(after, is_dealt_with=True)
        watch.put(instance, after)
        self._books.keep((watch.alert.id, instance), after)
        self._followers.resolved(watch.alert.name, instance, after)

    def retire(self, gone: Lasting) -> None:
        """Forget an instance of an alert that is gone; who was told hears that it is over."""
        self._close(gone, reason=REMOVED)
        self._books.keep((gone.alert.id, gone.instance), None)

    def _close(self, lasting: Lasting, *, reason: str) -> Cell:
        cell = lasting.cell
        episode, transitions = close(cell.episode, self._clock.now(), reason)
        flaps = msgspec.structs.replace(cell.flaps, is_flapping=False)
        after = msgspec.structs.replace(cell, episode=episode, flaps=flaps)
        self._followers.note(lasting.alert.name, lasting.instance, after=after, before=cell)
        if transitions:
            self._teller.note(
                Change(
                    alert=lasting.alert,
                    system=lasting.system,
                    metric=lasting.metric,
                    instance=lasting.instance,
                    before=cell,
                    after=after,
                    transitions=transitions,
                )
            )
        return after
