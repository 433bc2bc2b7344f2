"""What a status page needs of the past: incidents that fired, their lives and what was said."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec
from sqlalchemy import Select, func, or_, select

from qmon_agent.domain.alarms.histories import Remark
from qmon_agent.domain.alarms.matchers import known_by
from qmon_agent.domain.incidents import Transition

from .database import Database
from .tables import ALERTS, INCIDENTS, METRICS, REMARKS, SYSTEMS, TRANSITIONS

MOST_EPISODES = 20_000
"""So many are read at most, the newest."""


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One incident that fired, with the labels by which it is matched."""

    id: str
    alert: str
    usual_severity: str
    severity: str
    labels: dict[str, str]
    fired_at: int
    resolved_at: int
    transitions: tuple[Transition, ...]
    remarks: tuple[Remark, ...]


class Chronicle(msgspec.Struct, frozen=True, kw_only=True):
    """The incidents that fired at some time since a moment, and since when alerts are there."""

    episodes: tuple[Episode, ...]
    alerts: dict[str, int]
    """Alert → when it was made; before that, nobody looked."""
    is_cut: bool = False


def chronicle(database: Database, since: int) -> Chronicle:
    """Read in one transaction; blocks."""
    wanted = _wanted(since)
    ids = wanted.with_only_columns(INCIDENTS.c.id)
    with database.reading() as connection:
        moved: dict[str, list[Transition]] = defaultdict(list)
        lives = select(TRANSITIONS).where(TRANSITIONS.c.incident.in_(ids))
        for row in connection.execute(lives.order_by(TRANSITIONS.c.id)):
            each = Transition(before=row.before, after=row.after, reason=row.reason, at=row.at)
            moved[row.incident].append(each)
        said: dict[str, list[Remark]] = defaultdict(list)
        remarks = select(REMARKS).where(REMARKS.c.incident.in_(ids))
        for row in connection.execute(remarks.order_by(REMARKS.c.id)):
            said[row.incident].append(
                Remark(kind=row.kind, at=row.at, by=row.author, text=row.text)
            )
        episodes = tuple(
            _episode(row, moved[row.id], said[row.id]) for row in connection.execute(wanted)
        )
        made = connection.execute(select(ALERTS.c.name, ALERTS.c.created_at)).all()
    return Chronicle(
        episodes=episodes,
        alerts={row[0]: row[1] for row in made},
        is_cut=len(episodes) == MOST_EPISODES,
    )


def _wanted(since: int) -> Select[Any]:
    system = func.coalesce(SYSTEMS.c.name, "").label("system")
    return (
        select(
            INCIDENTS, ALERTS.c.name.label("alert_name"), ALERTS.c.severity.label("usual"), system
        )
        .join(ALERTS, ALERTS.c.id == INCIDENTS.c.alert)
        .outerjoin(METRICS, METRICS.c.id == ALERTS.c.metric)
        .outerjoin(SYSTEMS, SYSTEMS.c.id == METRICS.c.monitoring_system)
        .where(INCIDENTS.c.fired_at > 0)
        .where(or_(INCIDENTS.c.state != "inactive", INCIDENTS.c.resolved_at >= since))
        .order_by(INCIDENTS.c.since.desc(), INCIDENTS.c.id)
        .limit(MOST_EPISODES)
    )


def _episode(row: Any, transitions: list[Transition], remarks: list[Remark]) -> Episode:
    return Episode(
        id=row.id,
        alert=row.alert_name,
        usual_severity=row.usual,
        severity=row.severity,
        labels=known_by(
            row.labels, alert=row.alert_name, severity=row.severity, service=row.system
        ),
        fired_at=row.fired_at,
        resolved_at=row.resolved_at,
        transitions=tuple(transitions),
        remarks=tuple(remarks),
    )
