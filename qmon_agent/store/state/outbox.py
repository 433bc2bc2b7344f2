"""The outbox: messages leased to a sender, settled by what became of them, never lost between."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select, update

from .database import Database, record
from .tables import DELIVERIES, OUTBOX

OPEN = ("waiting", "leased")


class Leased(msgspec.Struct, frozen=True, kw_only=True):
    """One message that is ours to send until the lease ends; `attempts` counts this one."""

    id: int
    key: str
    incident: str
    channel: str
    notice: str
    created_at: int
    deadline: int
    attempts: int


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one attempt: `sent`, `dead`, or `waiting` to be tried again at `due_at`."""

    status: str
    at: int
    duration_ns: int = 0
    detail: str = ""
    due_at: int = 0


class Outbox:
    """Rows of messages; every step is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lease(self, channel: str, *, owner: str, until: int, limit: int = 10) -> list[Leased]:
        """Take due messages of a channel; of one incident only the oldest that is open."""
        now = self._database.clock.now()
        due = (
            select(OUTBOX.c.id)
            .where(OUTBOX.c.channel == channel, _takeable(now), ~_earlier_is_open())
            .order_by(OUTBOX.c.id)
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
            )
            .returning(*(OUTBOX.c[name] for name in Leased.__struct_fields__))
        )
        with self._database.writing() as connection:
            rows = connection.execute(taken).all()
        return sorted((record(Leased, row) for row in rows), key=lambda each: each.id)

    def settle(self, leased: Leased, became: Settled) -> bool:
        """Write down an attempt; no when somebody else has leased the message since."""
        values = {
            "status": became.status,
            "detail": became.detail,
            "due_at": became.due_at or became.at,
            "leased_until": 0,
            "sent_at": became.at if became.status == "sent" else 0,
        }
        # The count of attempts is the fence: whoever leases later has a higher one.
        ours = and_(
            OUTBOX.c.id == leased.id,
            OUTBOX.c.attempts == leased.attempts,
            OUTBOX.c.status == "leased",
        )
        attempt = {
            "outbox": leased.id,
            "attempt": leased.attempts,
            "at": became.at,
            "duration_ns": became.duration_ns,
            "outcome": became.status,
            "detail": became.detail,
        }
        with self._database.writing() as connection:
            settled = connection.execute(update(OUTBOX).where(ours).values(values)).rowcount == 1
            if settled:
                connection.execute(insert(DELIVERIES).values(attempt))
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
        with self._database.reading() as connection:
            due = select(OUTBOX.c.due_at, OUTBOX.c.leased_until).where(if_open, ~_earlier_is_open())
            moments = [max(row) for row in connection.execute(due.limit(1_000))]
        return min(moments, default=None)

    def counts(self) -> dict[tuple[str, str], int]:
        """How many messages per channel and status."""
        counted = select(OUTBOX.c.channel, OUTBOX.c.status, func.count()).group_by(
            OUTBOX.c.channel, OUTBOX.c.status
        )
        with self._database.reading() as connection:
            return {(row[0], row[1]): row[2] for row in connection.execute(counted)}

    def forget(self, before: int) -> int:
        """Delete what was sent or died before this moment, with its attempts; how many."""
        old = and_(OUTBOX.c.status.in_(("sent", "dead")), OUTBOX.c.created_at < before)
        with self._database.writing() as connection:
            of_old = DELIVERIES.c.outbox.in_(select(OUTBOX.c.id).where(old))
            connection.execute(delete(DELIVERIES).where(of_old))
            return connection.execute(delete(OUTBOX).where(old)).rowcount


def _takeable(now: int) -> ColumnElement[bool]:
    waiting = and_(OUTBOX.c.status == "waiting", OUTBOX.c.due_at <= now)
    abandoned = and_(OUTBOX.c.status == "leased", OUTBOX.c.leased_until <= now)
    return or_(waiting, abandoned)


def _earlier_is_open() -> ColumnElement[bool]:
    # Nobody is told that something is over before being told that it began.
    earlier = OUTBOX.alias("earlier")
    return exists().where(
        earlier.c.incident == OUTBOX.c.incident,
        earlier.c.channel == OUTBOX.c.channel,
        earlier.c.id < OUTBOX.c.id,
        earlier.c.status.in_(OPEN),
    )
