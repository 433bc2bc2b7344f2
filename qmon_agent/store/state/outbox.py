"""The outbox: messages leased to a sender, settled by what became of them, never lost between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from qmon_agent.domain.incidents import ACTIVE
from qmon_agent.domain.notices import Notice

from .database import Database, record
from .ledger import HELD, SUPERSEDED
from .passing_over import AT_ONCE, OPEN, candidates, pass_over
from .sendings import Leased, Settled, remember, with_surroundings
from .tables import DELIVERIES, INCIDENTS, OUTBOX

HELD_READ = 10_000
"""So many messages that are held are looked into, the newest."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try to send a message, and what came of it."""

    attempt: int
    at: int
    duration_ns: int
    outcome: str
    detail: str = ""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message about an incident, and what became of it; `notice` is JSON."""

    id: int
    key: str
    channel: str
    notice: str
    status: str
    created_at: int
    due_at: int
    deadline: int
    sent_at: int
    leased_until: int
    detail: str
    tries: tuple[Attempt, ...] = ()


class Outbox:
    """Rows of messages; every step is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lease(self, channel: str, *, owner: str, until: int, limit: int = 10) -> list[Leased]:
        """Take due messages of a channel: what fires first, the worst of it before the rest.

        Of one thread only the oldest that is open.
        """
        now = self._database.clock.now()
        due = (
            select(OUTBOX.c.id)
            .where(OUTBOX.c.channel == channel, _takeable(now), ~_earlier_is_open())
            .order_by(*_BY_WHAT_MATTERS)
            .limit(limit)
        )
        taken = (
            update(OUTBOX)
            .where(OUTBOX.c.id.in_(due))
            .values(
                status="leased",
                leased_by=owner,
                leased_until=until,
                attempts=OUTBOX.c.attempts + 1,
                # Until it is known that this one did not arrive, it may have.
                doubts=OUTBOX.c.doubts + 1,
            )
            .returning(*_OF_MESSAGE, OUTBOX.c.says, OUTBOX.c.weight)
        )
        with self._database.writing() as connection:
            found = sorted(connection.execute(taken).all(), key=_order_of)
            return with_surroundings(connection, [record(Leased, row) for row in found])

    def pass_over(self, channel: str) -> int:
        """Keep back what is outdated, as after its receiver was away for long; how many."""
        now, after, count = self._database.clock.now(), "", 0
        while True:
            with self._database.reading() as connection:
                threads = candidates(connection, channel, now=now, after=after)
            if threads:
                with self._database.writing() as connection:
                    count += pass_over(connection, channel, threads, now=now)
            if len(threads) < AT_ONCE:
                return count
            after = threads[-1]

    def give_back(self, unsent: Sequence[Leased]) -> None:
        """As if these had never been leased: nobody has begun to send them."""
        with self._database.writing() as connection:
            for each in unsent:
                values = {
                    "status": "waiting",
                    "leased_until": 0,
                    "attempts": OUTBOX.c.attempts - 1,
                    "doubts": OUTBOX.c.doubts - 1,
                }
                connection.execute(update(OUTBOX).where(_is_ours(each)).values(values))

    def hurry(self, channel: str) -> int:
        """Wait no longer with what was tried in vain, as its receiver is back; how many."""
        now = self._database.clock.now()
        waits = and_(
            OUTBOX.c.channel == channel, OUTBOX.c.status == "waiting", OUTBOX.c.due_at > now
        )
        with self._database.writing() as connection:
            return connection.execute(update(OUTBOX).where(waits).values(due_at=now)).rowcount

    def settle(self, leased: Leased, became: Settled) -> bool:
        """Write down an attempt; no when somebody else has leased the message since."""
        values = {
            "status": became.status,
            "detail": became.detail,
            "due_at": became.due_at or became.at,
            "leased_until": 0,
            "sent_at": became.at if became.status == "sent" else 0,
            "doubts": OUTBOX.c.doubts - int(became.untold),
        }
        attempt = {
            "outbox": leased.id,
            "attempt": leased.attempts,
            "at": became.at,
            "duration_ns": became.duration_ns,
            "outcome": became.status,
            "detail": became.detail,
        }
        with self._database.writing() as connection:
            settled = (
                connection.execute(update(OUTBOX).where(_is_ours(leased)).values(values)).rowcount
                == 1
            )
            if settled:
                connection.execute(insert(DELIVERIES).values(attempt))
            if settled and became.reference:
                remember(connection, leased, became)
        return settled

    def release(self, owner: str) -> int:
        """Give back what an owner had leased when it died; how many."""
        own = and_(OUTBOX.c.status == "leased", OUTBOX.c.leased_by == owner)
        with self._database.writing() as connection:
            freed = update(OUTBOX).where(own).values(status="waiting", leased_until=0)
            return connection.execute(freed).rowcount

    def bury_strangers(self, known: Iterable[str]) -> int:
        """Make dead letters of messages to channels there are none of; how many."""
        strange = and_(OUTBOX.c.status.in_(OPEN), OUTBOX.c.channel.not_in(list(known)))
        buried = {"status": "dead", "detail": "no such channel is configured"}
        with self._database.writing() as connection:
            return connection.execute(update(OUTBOX).where(strange).values(buried)).rowcount

    def next_due(self, channel: str) -> int | None:
        """When there may be something to lease; none if there is nothing."""
        if_open = and_(OUTBOX.c.channel == channel, OUTBOX.c.status.in_(OPEN))
        is_at_once = _was_tried_after(self._database.clock.now())
        due = select(OUTBOX.c.due_at, OUTBOX.c.leased_until, is_at_once)
        with self._database.reading() as connection:
            rows = connection.execute(due.where(if_open, ~_earlier_is_open()).limit(1_000))
            moments = [row[1] if row[2] else max(row[0], row[1]) for row in rows]
        return min(moments, default=None)

    def about(self, incident: str) -> list[Message]:
        """Every message about an incident, or about a group that it was in, in order."""
        named = or_(
            OUTBOX.c.incident == incident, OUTBOX.c.notice.contains(incident, autoescape=True)
        )
        fields = [OUTBOX.c[name] for name in Message.__struct_fields__ if name != "tries"]
        ids = select(OUTBOX.c.id).where(named)
        of_these = select(DELIVERIES).where(DELIVERIES.c.outbox.in_(ids)).order_by(DELIVERIES.c.id)
        tries: dict[int, list[Attempt]] = {}
        with self._database.reading() as connection:
            asked = select(*fields).where(named).order_by(OUTBOX.c.id)
            found = [record(Message, row) for row in connection.execute(asked)]
            for row in connection.execute(of_these):
                tries.setdefault(row.outbox, []).append(record(Attempt, row))
        return [replace(each, tries=tuple(tries.get(each.id, ()))) for each in found]

    def held_since(self, since: int) -> set[str]:
        """The incidents whose messages the storm brake has held since a moment."""
        asked = select(OUTBOX.c.notice).where(OUTBOX.c.status == HELD, OUTBOX.c.created_at >= since)
        with self._database.reading() as connection:
            rows = connection.execute(asked.order_by(OUTBOX.c.id.desc()).limit(HELD_READ)).all()
        notices = [msgspec.json.decode(row[0], type=Notice) for row in rows]
        return {one.incident for each in notices for one in (each, *each.members)}

    def counts(self) -> dict[tuple[str, str], int]:
        """How many messages per channel and status."""
        counted = select(OUTBOX.c.channel, OUTBOX.c.status, func.count()).group_by(
            OUTBOX.c.channel, OUTBOX.c.status
        )
        with self._database.reading() as connection:
            return {(row[0], row[1]): row[2] for row in connection.execute(counted)}

    def forget(self, before: int) -> int:
        """Delete what was sent, unsaid or died before this moment, with its attempts; how many."""
        done = OUTBOX.c.status.in_(("sent", "dead", HELD, SUPERSEDED))
        # Of what fires still it has to be known whether anybody has heard of it.
        fires = exists().where(INCIDENTS.c.id == OUTBOX.c.incident, INCIDENTS.c.state.in_(ACTIVE))
        old = and_(done, OUTBOX.c.created_at < before, ~fires)
        with self._database.writing() as connection:
            of_old = DELIVERIES.c.outbox.in_(select(OUTBOX.c.id).where(old))
            connection.execute(delete(DELIVERIES).where(of_old))
            return connection.execute(delete(OUTBOX).where(old)).rowcount


_OF_MESSAGE = [
    OUTBOX.c[name] for name in Leased.__struct_fields__ if name not in {"reference", "others"}
]
_BY_WHAT_MATTERS = (
    case((OUTBOX.c.says == "firing", 0), else_=1),
    OUTBOX.c.weight.desc(),
    OUTBOX.c.id,
)


def _order_of(row: Row[Any]) -> tuple[bool, int, int]:
    return row.says != "firing", -row.weight, row.id


def _is_ours(leased: Leased) -> ColumnElement[bool]:
    # The count of attempts is the fence: whoever leases later has a higher one.
    return and_(
        OUTBOX.c.id == leased.id,
        OUTBOX.c.attempts == leased.attempts,
        OUTBOX.c.status == "leased",
    )


def _takeable(now: int) -> ColumnElement[bool]:
    is_due = or_(OUTBOX.c.due_at <= now, _was_tried_after(now))
    waiting = and_(OUTBOX.c.status == "waiting", is_due)
    abandoned = and_(OUTBOX.c.status == "leased", OUTBOX.c.leased_until <= now)
    return or_(waiting, abandoned)


def _was_tried_after(now: int) -> ColumnElement[bool]:
    # The clock was set back since: what it said then is no reason to wait.
    return exists().where(
        DELIVERIES.c.outbox == OUTBOX.c.id,
        DELIVERIES.c.attempt == OUTBOX.c.attempts,
        DELIVERIES.c.at > now,
    )


def _earlier_is_open() -> ColumnElement[bool]:
    # Nobody is told that something is over before being told that it began.
    earlier = OUTBOX.alias("earlier")
    return exists().where(
        earlier.c.thread == OUTBOX.c.thread,
        earlier.c.channel == OUTBOX.c.channel,
        earlier.c.id < OUTBOX.c.id,
        earlier.c.status.in_(OPEN),
    )
