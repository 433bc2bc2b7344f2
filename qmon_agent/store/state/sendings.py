"""A message on its way: what a sender has leased, what became of it, what is known around it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, and_, func, select

from qmon_agent.domain.incidents import ACTIVE

from .dialects import upsert
from .tables import INCIDENTS, THREADS

OTHERS_COUNTED = 1_000


class Leased(msgspec.Struct, frozen=True, kw_only=True):
    """One message that is ours to send until the lease ends; `attempts` counts this one.

    `thread` is its incident, or the group of one route that it is about; `reference` is what the
    channel called an earlier message of it; `others` counts what else of its alert fires now, up
    to 1,000.
    """

    id: int
    key: str
    incident: str
    thread: str = ""
    channel: str
    notice: str
    created_at: int
    deadline: int
    attempts: int
    reference: str = ""
    others: int = 0


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one attempt: `sent`, `dead`, or `waiting` to be tried again at `due_at`.

    `untold`: it is sure that nobody has it.
    """

    status: str
    at: int
    untold: bool = False
    duration_ns: int = 0
    detail: str = ""
    due_at: int = 0
    reference: str = ""


def remember(connection: Connection, leased: Leased, became: Settled) -> None:
    """Keep what the channel calls the message."""
    thread = {
        "incident": leased.incident,
        "channel": leased.channel,
        "thread": leased.thread,
        "reference": became.reference,
        "updated_at": became.at,
    }
    upsert(connection, THREADS, [thread], keys=["incident", "channel", "thread"])


def with_surroundings(connection: Connection, leased: list[Leased]) -> list[Leased]:
    """What is known of their incidents: earlier messages, and others that fire."""
    if not leased:
        return []
    incidents = [each.incident for each in leased]
    threads = select(THREADS.c.incident, THREADS.c.thread, THREADS.c.reference).where(
        THREADS.c.channel == leased[0].channel, THREADS.c.incident.in_(incidents)
    )
    references = {(row[0], row[1]): row[2] for row in connection.execute(threads)}
    own = select(INCIDENTS.c.id, INCIDENTS.c.alert, INCIDENTS.c.state.in_(ACTIVE)).where(
        INCIDENTS.c.id.in_(incidents)
    )
    alerts = {row[0]: (row[1], bool(row[2])) for row in connection.execute(own)}
    firing = {alert: _firing(connection, alert) for alert in {a for a, _ in alerts.values()}}
    return [
        msgspec.structs.replace(
            each,
            reference=references.get((each.incident, each.thread), ""),
            others=_others(firing, alerts.get(each.incident)),
        )
        for each in leased
    ]


def _firing(connection: Connection, alert: int) -> int:
    active = and_(INCIDENTS.c.alert == alert, INCIDENTS.c.state.in_(ACTIVE))
    # One more than is told: the one that is asked for may be among them.
    few = select(INCIDENTS.c.id).where(active).limit(OTHERS_COUNTED + 1).subquery()
    return connection.execute(select(func.count()).select_from(few)).scalar_one()


def _others(firing: Mapping[int, int], own: tuple[int, bool] | None) -> int:
    if own is None:
        return 0
    alert, is_active = own
    return min(firing[alert] - is_active, OTHERS_COUNTED)
