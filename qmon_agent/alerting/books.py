"""The books of alerting: what is to be written, kept until it is on disk."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from qmon_agent.domain.alarms.handling import UNHANDLED, Handling
from qmon_agent.domain.alarms.matchers import Labels
from qmon_agent.domain.catalog import Alert
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.errors import StoreError
from qmon_agent.domain.steadiness import HELD
from qmon_agent.store.state.incidents import Incidents
from qmon_agent.store.state.ledger import Entry, RemarkRecord, StateRecord
from qmon_agent.vitals import Vitals

from .braking import NOTE, Braking
from .episodes import Episodes
from .evaluation import Cell
from .hearing import Hearing
from .papers import Change, Telling, write_up
from .routing_plan import Plan

Key = tuple[int, str]
CHECKPOINT_NS = 5 * SECOND
"""How much at most is read again after a crash, where nothing happened that was worth writing."""
RETRY_NS = SECOND


class Books:
    """One open entry, written as a whole; after a failure it stays open and grows."""

    def __init__(
        self,
        ledger: Incidents,
        *,
        hearing: Hearing,
        vitals: Vitals,
        posted: Callable[[], None] = lambda: None,
    ) -> None:
        self.position = self.written = ledger.position()
        self._ledger = ledger
        self._hearing = hearing
        self._vitals = vitals
        self.braking = Braking(ledger.noted(NOTE), vitals=vitals)
        self._posted = posted
        self._entry = Entry()
        self._cells: dict[Key, Cell | None] = {}
        self._checkpoint_due = 0
        self._not_before = 0
        self.ticked_at = 0
        """When time last passed; a record may be older than that."""
        self._notes: Callable[[], dict[str, str]] = dict

    def keep(self, key: Key, cell: Cell | None) -> None:
        """Remember an instance, or none of it."""
        self._cells[key] = cell

    def remember(self, what: Callable[[], dict[str, str]]) -> None:
        """Ask for notes before each writing, and keep them beside the place."""
        self._notes = what

    def note(self, change: Change, telling: Telling) -> None:
        """Write up what a change leads to."""
        notices = write_up(self._entry, change, telling)
        self._hearing.note(change, notices)
        for transition in change.transitions:
            self._vitals.add("alert_transitions", after=transition.after)
            if transition.reason.startswith(HELD):
                self._vitals.add("alert_messages_held", reason="flapping")

    @property
    def plan(self) -> Plan | None:
        """The routing tree and who is on call."""
        return self._hearing.plan

    @property
    def episodes(self) -> Episodes:
        """What is merged into what."""
        return self._hearing.episodes

    def is_by_tree(self, alert: Alert) -> bool:
        """Whether the routing tree decides who is told."""
        return self._hearing.is_by_tree(alert)

    def is_silenced(self, labels: Labels, now: int) -> bool:
        """Whether nobody is to hear of what has these labels."""
        return self._hearing.is_silenced(labels, now)

    def handling(self, incident: str) -> Handling:
        """Who looks after an incident."""
        return self._hearing.handlings.get(incident, UNHANDLED)

    def state_of(self, incident: str) -> str:
        """As it is written down; empty for one that is not."""
        found = self._ledger.one(incident)
        return found.state if found else ""

    def handlings(self) -> list[tuple[str, Handling]]:
        """Of all that fire and somebody has done something with."""
        return list(self._hearing.handlings.items())

    def remark(self, handling: Handling, said: RemarkRecord) -> None:
        """Who looks after it from now on, and what was done or said."""
        self._hearing.handle(said.incident, handling)
        self._entry.handlings[said.incident] = msgspec.json.encode(handling).decode()
        self._entry.remarks.append(said)

    def write_due(self, now: int) -> None:
        """Write at once what happened, and every few seconds what is merely remembered.

        How far it has read is written by the agent's own checkpoint, where that is all.
        """
        if now < self._not_before:
            return
        self._turn(now)
        if self._entry.has_news or (self._cells and now >= self._checkpoint_due):
            self.write(now)

    def write_heard(self, at: int) -> None:
        """The same after a record: what is judged late is told now, as time does not go back."""
        self.write_due(max(at, self.ticked_at))

    def write(self, now: int) -> bool:
        """Write all there is; no when the store refuses, and it is tried again later."""
        self._turn(now)
        if not self._cells and not self._entry.has_news and self.position == self.written:
            return True
        try:
            self._ledger.write(self._filled())
        except StoreError:
            self._vitals.add("alert_write_failures")
            self._not_before = now + RETRY_NS
            return False
        posted = bool(self._entry.postings)
        self.written = self.position
        self._entry, self._cells = Entry(), {}
        self._checkpoint_due = now + CHECKPOINT_NS
        if posted:
            self._posted()
        return True

    def _turn(self, now: int) -> None:
        self._hearing.turn(self._entry, now)
        self.braking.turn(self._entry, now)

    def _filled(self) -> Entry:
        self._entry.position = self.position
        self._entry.notes |= self._notes()
        self._entry.states = [
            StateRecord(alert=alert, instance=name, state=msgspec.json.encode(cell).decode())
            for (alert, name), cell in self._cells.items()
            if cell is not None
        ]
        self._entry.forgotten = [key for key, cell in self._cells.items() if cell is None]
        return self._entry
