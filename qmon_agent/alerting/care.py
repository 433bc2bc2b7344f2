"""What people do with an incident that fires: on disk, told to whom it concerns, ended by time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Literal

import msgspec

from qmon_agent.domain.alarms import handling as hands
from qmon_agent.domain.alarms.handling import UNHANDLED, Handling
from qmon_agent.domain.clock import Clock
from qmon_agent.domain.errors import QueryError, StoreError
from qmon_agent.domain.incidents import ACTIVE, Transition
from qmon_agent.store.state.ledger import RemarkRecord

from .books import Books
from .evaluation import Cell
from .papers import ACK_EXPIRED, ACKNOWLEDGED, SNOOZE_ENDED, Change, Telling
from .routing_plan import Plan
from .watch import Watch
from .watches import Watches

Kind = Literal["ack", "unack", "assign", "comment", "snooze", "resolve"]
Close = Callable[[Watch, str], None]
_REASONS = {
    "ack": ACKNOWLEDGED,
    "unack": "unacknowledged",
    "assign": "assigned",
    "comment": "commented",
    "snooze": "snoozed",
}


_NOT_FIRING = {"pending": ": it is pending still", "inactive": ": it is over"}


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody does: `text` is why, or to whom it is given."""

    kind: Kind
    by: str = ""
    text: str = ""
    until: int = 0
    sticky: bool = False


class Care:
    """Who looks after what; shares the lock of the service, whose parts it is given."""

    def __init__(
        self,
        lock: AbstractContextManager[object],
        watches: Watches,
        *,
        books: Books,
        clock: Clock,
        close: Close,
    ) -> None:
        """`close`: ends an incident by hand."""
        self._lock = lock
        self._watches = watches
        self._books = books
        self._clock = clock
        self._close = close

    @property
    def plan(self) -> Plan | None:
        """The routing tree and who is on call, where that is configured."""
        return self._books.plan

    def do(self, incident: str, deed: Deed) -> Handling:
        """On disk before this returns; raises QueryError for an incident that does not fire."""
        with self._lock:
            found = self._found(incident)
            if found is None:
                why = _NOT_FIRING.get(self._books.state_of(incident), "")
                raise QueryError(f"no incident {incident!r} fires{why}")
            watch, instance, cell = found
            now = self._clock.now()
            handling = _done(self._books.handling(incident), deed, now)
            said = RemarkRecord(
                incident=incident, at=now, kind=deed.kind, author=deed.by, text=deed.text
            )
            self._books.remark(handling, said)
            if deed.kind == "resolve":
                self._close(watch, instance)
            else:
                self._tell(watch, instance, cell, reason=_REASONS[deed.kind], text=_said(deed))
            if not self._books.write(now):
                raise StoreError("the state store refuses it now; it is kept, and written later")
            return handling

    def look(self, now: int) -> None:
        """End what ends by itself, and tell those who counted on it; with the lock held."""
        for incident, handling in self._books.handlings():
            after, ended = hands.let_time_pass(handling, now)
            if not ended:
                continue
            for kind in ended:
                said = RemarkRecord(incident=incident, at=now, kind=kind)
                self._books.remark(after, said)
            found = self._found(incident)
            if found is not None and not after.is_quiet(now):
                watch, instance, cell = found
                reason = ACK_EXPIRED if "ack_expired" in ended else SNOOZE_ENDED
                self._tell(watch, instance, cell, reason=reason, text=cell.text)

    def _tell(self, watch: Watch, instance: str, cell: Cell, *, reason: str, text: str) -> None:
        state, now = cell.episode.state, self._clock.now()
        change = Change(
            alert=watch.alert,
            system=watch.system,
            metric=watch.metric,
            instance=instance,
            before=cell,
            after=msgspec.structs.replace(cell, text=text or cell.text),
            transitions=(Transition(before=state, after=state, reason=reason, at=now),),
        )
        by_tree = not cell.told and self._books.is_by_tree(watch.alert)
        # A silence holds it; the tree knows that itself, when it looks.
        is_held = reason == ACKNOWLEDGED and self._books.is_silenced(change.matched_labels, now)
        channels = () if is_held else cell.told
        self._books.note(change, Telling(channels=channels, by_tree=by_tree))

    def _found(self, incident: str) -> tuple[Watch, str, Cell] | None:
        for watch in self._watches:
            for instance, cell in watch.cells.items():
                if cell.incident == incident and cell.episode.state in ACTIVE:
                    return watch, instance, cell
        return None


def _done(before: Handling, deed: Deed, now: int) -> Handling:
    if deed.kind == "ack":
        return hands.acknowledge(before, deed.by, now, until=deed.until, sticky=deed.sticky)
    if deed.kind == "unack":
        return hands.give_back(before)
    if deed.kind == "assign":
        return hands.assign(before, deed.text)
    if deed.kind == "snooze":
        return hands.snooze(before, deed.until)
    return before if deed.kind == "comment" else UNHANDLED


def _said(deed: Deed) -> str:
    """As a message says it: who, and why."""
    if deed.kind != "ack":
        return ""
    by = f"acknowledged by {deed.by}" if deed.by else "acknowledged"
    return f"{by}: {deed.text}" if deed.text else by
