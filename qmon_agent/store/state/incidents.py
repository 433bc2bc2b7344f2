"""Incidents as rows, and what rules remember, written together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from secrets import token_hex

import msgspec
from sqlalchemy import Connection, and_, case, delete, exists, func, insert, or_, select

from qmon_agent.domain.incidents import ACTIVE

from .database import Database, record
from .dialects import upsert
from .groups import is_in_group, write_groups
from .handlings import forget_handlings, write_handlings
from .ledger import Entry, IncidentRecord, StateRecord, TransitionRecord, Tried
from .postings import write_postings
from .tables import CHECKPOINTS, INCIDENTS, OUTBOX, RULE_STATE, THREADS, TRANSITIONS

RULES_CURSOR = "rules"
TRIED = "entry"
"""Under which name the last writing is noted, in its own transaction."""
FORGET_AT_ONCE = 400


class Incidents:
    """The ledger of alerting: `write` is the only way anything gets into it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, entry: Entry) -> None:
        """Keep all of the entry in one transaction; once, however often it is tried."""
        before, this = [*entry.tried], _trial_of(entry)
        entry.tried.append(this)
        now = self._database.clock.now()
        states = [msgspec.structs.asdict(each) | {"updated_at": now} for each in entry.states]
        incidents = [msgspec.structs.asdict(each) for each in entry.incidents.values()]
        with self._database.writing() as connection:
            done = _committed(connection, before)
            upsert(connection, RULE_STATE, states, keys=["alert", "instance"])
            _forget(connection, entry.forgotten)
            upsert(connection, INCIDENTS, incidents, keys=["id"])
            if moved := entry.transitions[done.transitions :]:
                rows = [msgspec.structs.asdict(each) for each in moved]
                connection.execute(insert(TRANSITIONS), rows)
            write_postings(connection, entry.postings)
            write_groups(connection, entry, now)
            write_handlings(connection, entry, now, remarks_done=done.remarks)
            notes = entry.notes | {TRIED: this.token}
            notes |= {RULES_CURSOR: entry.position} if entry.position else {}
            places = [
                {"name": name, "position": text, "updated_at": now} for name, text in notes.items()
            ]
            upsert(connection, CHECKPOINTS, places, keys=["name"])

    def position(self) -> str:
        """How far the rules have read, as it was written with what they made of it."""
        return self.noted(RULES_CURSOR)

    def noted(self, name: str) -> str:
        """What was remembered beside it under a name."""
        named = select(CHECKPOINTS.c.position).where(CHECKPOINTS.c.name == name)
        with self._database.reading() as connection:
            return connection.execute(named).scalar() or ""

    def states(self) -> list[StateRecord]:
        """What every rule remembers of every instance."""
        with self._database.reading() as connection:
            return [record(StateRecord, row) for row in connection.execute(select(RULE_STATE))]

    def find(
        self, *, states: Sequence[str] = (), alert: int | None = None, limit: int = 1_000
    ) -> list[IncidentRecord]:
        """Incidents, of some states or one alert only: first what fires, each the newest first."""
        rank = case((INCIDENTS.c.state.in_(ACTIVE), 0), else_=1)
        order = (rank, INCIDENTS.c.since.desc(), INCIDENTS.c.id)
        query = select(INCIDENTS).order_by(*order).limit(limit)
        if states:
            query = query.where(INCIDENTS.c.state.in_(states))
        if alert is not None:
            query = query.where(INCIDENTS.c.alert == alert)
        with self._database.reading() as connection:
            return [record(IncidentRecord, row) for row in connection.execute(query)]

    def one(self, incident: str) -> IncidentRecord | None:
        """The incident of this id."""
        asked = select(INCIDENTS).where(INCIDENTS.c.id == incident)
        with self._database.reading() as connection:
            row = connection.execute(asked).first()
        return None if row is None else record(IncidentRecord, row)

    def still_open(self, incidents: Collection[str]) -> set[str]:
        """Those of these that are not over."""
        asked = select(INCIDENTS.c.id).where(
            INCIDENTS.c.id.in_(incidents), INCIDENTS.c.state != "inactive"
        )
        with self._database.reading() as connection:
            return {row[0] for row in connection.execute(asked)} if incidents else set()

    def last_fired(self) -> dict[int, int]:
        """Alert → when it fired last, of those that did within what is kept."""
        newest = select(INCIDENTS.c.alert, func.max(INCIDENTS.c.fired_at))
        fired = newest.where(INCIDENTS.c.fired_at > 0).group_by(INCIDENTS.c.alert)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(fired)}

    def transitions_of(self, incident: str) -> list[TransitionRecord]:
        """The life of one incident, in order."""
        of_incident = select(TRANSITIONS).where(TRANSITIONS.c.incident == incident)
        with self._database.reading() as connection:
            found = connection.execute(of_incident.order_by(TRANSITIONS.c.id))
            return [record(TransitionRecord, row) for row in found]

    def forget(self, before: int) -> int:
        """Delete incidents that were long over and in no letter and no group; how many."""
        over = and_(INCIDENTS.c.state == "inactive", INCIDENTS.c.updated_at < before)
        told = exists().where(OUTBOX.c.incident == INCIDENTS.c.id)
        needed = or_(told, is_in_group())
        old = select(INCIDENTS.c.id).where(over, ~needed)
        with self._database.writing() as connection:
            connection.execute(delete(TRANSITIONS).where(TRANSITIONS.c.incident.in_(old)))
            forget_handlings(connection, old)
            connection.execute(delete(THREADS).where(THREADS.c.incident.in_(old)))
            return connection.execute(delete(INCIDENTS).where(over, ~needed)).rowcount


def _trial_of(entry: Entry) -> Tried:
    return Tried(token_hex(8), len(entry.transitions), len(entry.remarks))


def _committed(connection: Connection, tried: Sequence[Tried]) -> Tried:
    """What of earlier tries is there already: all of one of them, or nothing."""
    if not tried:
        return Tried("")
    asked = select(CHECKPOINTS.c.position).where(CHECKPOINTS.c.name == TRIED)
    token = connection.execute(asked).scalar()
    return next((each for each in tried if each.token == token), Tried(""))


def _forget(connection: Connection, pairs: Sequence[tuple[int, str]]) -> None:
    # In slices, because engines bound the number of parameters of one statement.
    for start in range(0, len(pairs), FORGET_AT_ONCE):
        slice_ = pairs[start : start + FORGET_AT_ONCE]
        same = [
            and_(RULE_STATE.c.alert == alert, RULE_STATE.c.instance == instance)
            for alert, instance in slice_
        ]
        connection.execute(delete(RULE_STATE).where(or_(*same)))
