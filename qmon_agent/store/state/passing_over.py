"""Messages kept back because what they say is outdated: how these are found in the outbox."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, exists, or_, select, update

from qmon_agent.domain.alarms.unsaid import LATE_NS, Written, unsaid
from qmon_agent.domain.notices import STORM

from .ledger import SUPERSEDED
from .tables import INCIDENTS, OUTBOX

OPEN = ("waiting", "leased")
AT_ONCE = 100
"""So many threads are looked at in one transaction."""


class _Member(msgspec.Struct, frozen=True):
    incident: str
    status: str = ""


class _Said(msgspec.Struct, frozen=True):
    """As much of a notice as has to be known; the rest is passed over."""

    incident: str
    status: Literal["firing", "acknowledged", "resolved"]
    rule: str = ""
    members: tuple[_Member, ...] = ()
    left_out: int = 0


def candidates(connection: Connection, channel: str, *, now: int, after: str) -> list[str]:
    """The next threads of a channel in which something may be outdated."""
    earlier, later = OUTBOX.alias("earlier"), OUTBOX.alias("later")
    is_late = OUTBOX.c.created_at <= now - LATE_NS
    is_said_anew = exists().where(
        _same_thread(later), later.c.id > OUTBOX.c.id, later.c.status.in_(OPEN)
    )
    is_over = exists().where(INCIDENTS.c.id == OUTBOX.c.incident, INCIDENTS.c.state == "inactive")
    began_unheard = exists().where(
        _same_thread(earlier), earlier.c.id < OUTBOX.c.id, _was_missed(earlier)
    )
    ends = OUTBOX.c.says == "resolved"
    outdated = or_(
        and_(is_late, or_(is_said_anew, and_(~ends, is_over))), and_(ends, began_unheard)
    )
    threads = (
        select(OUTBOX.c.thread)
        .where(OUTBOX.c.channel == channel, OUTBOX.c.status.in_(OPEN), outdated)
        .where(OUTBOX.c.thread > after)
        .distinct()
        .order_by(OUTBOX.c.thread)
        .limit(AT_ONCE)
    )
    return [row[0] for row in connection.execute(threads)]


def pass_over(connection: Connection, channel: str, threads: Sequence[str], *, now: int) -> int:
    """Keep back what is outdated in some threads of a channel; how many messages."""
    asked = select(OUTBOX).where(OUTBOX.c.channel == channel, OUTBOX.c.thread.in_(threads))
    by_thread: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(asked.order_by(OUTBOX.c.id)):
        by_thread[row.thread].append(row)
    # What is on its way now may arrive: first it has to be known what became of it.
    read = [
        [*_written(rows)]
        for rows in by_thread.values()
        if not any(_on_its_way(r, now) for r in rows)
    ]
    over = _over(connection, {name for each in read for one in each for name in one.firing})
    found = [
        {"row": n, "why": why} for each in read for n, why in unsaid(each, now, over=over).items()
    ]
    for each in found:
        kept_back = (
            update(OUTBOX)
            .where(OUTBOX.c.id == each["row"])
            .values(status=SUPERSEDED, detail=each["why"], leased_until=0)
        )
        connection.execute(kept_back)
    return len(found)


def _same_thread(other: Any) -> ColumnElement[bool]:
    return and_(other.c.thread == OUTBOX.c.thread, other.c.channel == OUTBOX.c.channel)


def _was_missed(letter: Any) -> ColumnElement[bool]:
    return and_(letter.c.status.in_((SUPERSEDED, "dead")), letter.c.doubts == 0)


def _on_its_way(row: Row[Any], now: int) -> bool:
    return bool(row.status == "leased" and row.leased_until > now)


def _written(rows: Sequence[Row[Any]]) -> Iterator[Written]:
    for row in rows:
        try:
            said = msgspec.json.decode(row.notice, type=_Said)
        except msgspec.MsgspecError:
            continue  # the notifier refuses it, and says why
        members = said.members or (_Member(said.incident, said.status),)
        yield Written(
            id=row.id,
            says=said.status,
            created_at=row.created_at,
            firing=frozenset(each.incident for each in members if each.status != "resolved"),
            resolved=frozenset(each.incident for each in members if each.status == "resolved"),
            is_cut=bool(said.left_out),
            is_open=row.status in OPEN,
            was_told=row.status == "sent" or row.doubts > 0,
            was_missed=row.status in (SUPERSEDED, "dead") and not row.doubts,
            sums_up=said.rule == STORM,
        )


def _over(connection: Connection, incidents: set[str]) -> set[str]:
    asked = select(INCIDENTS.c.id).where(
        INCIDENTS.c.id.in_(incidents), INCIDENTS.c.state == "inactive"
    )
    return {row[0] for row in connection.execute(asked)}
