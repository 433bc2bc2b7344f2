"""Alerts over what was: the service that judges, in books that nobody keeps."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.incidents import Incidents
from qmon_agent.store.state.ledger import Entry
from qmon_agent.vitals import Vitals

from .evaluation import Cell
from .rules import About, Fact
from .service import AlertService
from .watch import Watch


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """How an instance of an alert stands, from a moment on."""

    alert: str
    instance: str
    cell: Cell
    at: int


class Rehearsal(AlertService):
    """Judges as ever, and writes nothing: each instance that is judged is told to `heard`."""

    def __init__(
        self,
        store: StateStore,
        clock: HandClock,
        *,
        vitals: Vitals,
        heard: Callable[[Judged], None],
    ) -> None:
        """The store is nobody else's; only the alerts are kept in it."""
        self._heard = heard
        self._hand = clock
        store.incidents = _Unwritten(store)
        super().__init__(store, clock=clock, vitals=vitals)
        self._books.remember(self._nothing)

    @property
    def subjects(self) -> list[About]:
        """What each alert looks at."""
        return [watch.about for watch in self._watches]

    @property
    def names(self) -> set[str]:
        """The names of series that are asked for; an empty one is every name."""
        return self._inquiry.names

    def live_until(self, moment: int) -> None:
        """Let the seconds before a moment pass; those in which nothing is due cost nothing."""
        while (due := self._next_due()) < moment:
            self._turn_to(due)
            self.tick(due)
        self._turn_to(moment)

    def _next_due(self) -> int:
        """The first whole second from now on at which there is something to do."""
        due = [at for at in (self._wakes.next(), self._inquiry.next_due()) if at is not None]
        now = self._clock.now()
        return -(-max(min(due, default=1 << 62), now + 1) // SECOND) * SECOND

    def _turn_to(self, moment: int) -> None:
        self._hand.turn((moment - self._clock.now()) / SECOND)

    def _nothing(self) -> dict[str, str]:
        self._inquiry.forget_fresh()
        return {}

    def _evaluate(
        self, watch: Watch, instance: str, fact: Fact | None, *, now: int, is_again: bool = False
    ) -> None:
        super()._evaluate(watch, instance, fact, now=now, is_again=is_again)
        if (cell := watch.cells.get(instance)) is not None:
            judged = Judged(alert=watch.alert.name, instance=instance, cell=cell, at=now)
            self._heard(judged)


class _Unwritten(Incidents):
    """A ledger that stays empty."""

    def write(self, entry: Entry) -> None:
        pass
