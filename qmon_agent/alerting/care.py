"""What people do with an incident that fires: on disk, told to whom it concerns, ended by time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol

import msgspec

from qmon_agent.domain.alarms import handling as hands
from qmon_agent.domain.alarms.handling import UNHANDLED, Handling
from qmon_agent.domain.clock import Clock
from qmon_agent.domain.errors import StoreError
from qmon_agent.store.state.ledger import RemarkRecord

from .affected import Affected, Firing
from .books import Books, Key
from .merging import Merging
from .papers import ACK_EXPIRED, ACKNOWLEDGED, SNOOZE_ENDED
from .routing_plan import Plan
from .watch import Watch
from .watches import Watches

Kind = Literal["ack", "unack", "assign", "comment", "comment_public", "snooze", "resolve", "split"]
BY_HAND = "resolved_by_hand"


class Close(Protocol):
    """Ends what an instance of an alert has."""

    def __call__(self, watch: Watch, instance: str, *, reason: str) -> None: ...


_REASONS = {
    "ack": ACKNOWLEDGED,
    "unack": "unacknowledged",
    "assign": "assigned",
    "comment": "commented",
    "comment_public": "commented",
    "snooze": "snoozed",
}


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
        self._books = books
        self._clock = clock
        self._close = close
        self._firing = Firing(watches, books=books, clock=clock)
        self._merging = Merging(self._firing, books=books, clock=clock)

    @property
    def plan(self) -> Plan | None:
        """The routing tree and who is on call, where that is configured."""
        return self._books.plan

    def do(self, incident: str, deed: Deed) -> Handling:
        """On disk before this returns; raises QueryError for an incident that does not fire.

        What is done with one that is merged is done with that into which it is; but for `split`.
        """
        with self._lock:
            if deed.kind == "split":
                self._merging.split(incident, by=deed.by)
                return self._written(incident)
            incident = self._books.episodes.survivor_of(incident)
            affected = self._firing.need(incident)
            self._remark(incident, deed)
            if deed.kind == "resolve":
                self._end(affected, deed)
            else:
                self._firing.tell(affected, reason=_REASONS[deed.kind], text=_said(deed))
            return self._written(incident)

    def resolve(self, incident: str, *, reason: str = BY_HAND) -> bool:
        """End it, and all that it is merged with; no where none of this id fires, or on no disk."""
        with self._lock:
            survivor = self._books.episodes.survivor_of(incident)
            affected = self._firing.find(survivor)
            if affected is None:
                return False
            deed = Deed(kind="resolve")
            self._remark(survivor, deed)
            self._end(affected, deed, reason=reason)
            return self._books.write(self._clock.now())

    def merge(self, into: str, others: Sequence[str], *, by: str = "") -> list[str]:
        """Tell and handle these as one; the answer is what is merged into it, on disk by then.

        Raises QueryError where one does not fire, and then does nothing.
        """
        with self._lock:
            self._merging.merge(into, others, by=by)
            survivor = self._books.episodes.survivor_of(into)
            self._written(survivor)
            return self._books.episodes.members_of(survivor)

    def look(self, now: int) -> list[Key]:
        """End what ends by itself, and tell those who counted on it; with the lock held.

        The answer is what is to be judged again, as it was held only for others.
        """
        for incident, handling in self._books.handlings():
            after, ended = hands.let_time_pass(handling, now)
            if not ended:
                continue
            for kind in ended:
                said = RemarkRecord(incident=incident, at=now, kind=kind)
                self._books.remark(after, said)
            affected = self._firing.find(incident)
            if affected is not None and not after.is_quiet(now):
                reason = ACK_EXPIRED if "ack_expired" in ended else SNOOZE_ENDED
                self._firing.tell(affected, reason=reason)
        return self._merging.look()

    def _end(self, affected: Affected, deed: Deed, *, reason: str = BY_HAND) -> None:
        """With all that is merged into it."""
        for name in self._books.episodes.members_of(affected.cell.incident):
            member = self._firing.find(name)
            if member is not None:
                self._remark(name, deed)
                self._close(member.watch, member.instance, reason=reason)
        self._close(affected.watch, affected.instance, reason=reason)

    def _remark(self, incident: str, deed: Deed) -> None:
        now, before = self._clock.now(), self._books.handling(incident)
        said = RemarkRecord(
            incident=incident, at=now, kind=deed.kind, author=deed.by, text=deed.text
        )
        self._books.remark(before if before.merged_into else _done(before, deed, now), said)

    def _written(self, incident: str) -> Handling:
        handling = self._books.handling(incident)
        if not self._books.write(self._clock.now()):
            raise StoreError("the state store refuses it now; it is kept, and written later")
        return handling


def _done(before: Handling, deed: Deed, now: int) -> Handling:
    if deed.kind == "ack":
        return hands.acknowledge(before, deed.by, now, until=deed.until, sticky=deed.sticky)
    if deed.kind == "unack":
        return hands.give_back(before)
    if deed.kind == "assign":
        return hands.assign(before, deed.text)
    if deed.kind == "snooze":
        return hands.snooze(before, deed.until)
    return before if deed.kind in {"comment", "comment_public"} else UNHANDLED


def _said(deed: Deed) -> str:
    """As a message says it: who, and why."""
    if deed.kind != "ack":
        return ""
    by = f"acknowledged by {deed.by}" if deed.by else "acknowledged"
    return f"{by}: {deed.text}" if deed.text else by
