"""The figures of alerting, and what people say of incidents for them, as documents for the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from qmon_agent.app.management import MOST_TEXT
from qmon_agent.domain.alarms.figures import figures
from qmon_agent.domain.alarms.handling import UNHANDLED
from qmon_agent.domain.alarms.histories import LABELLED, LABELS
from qmon_agent.domain.alarms.nights import Nights
from qmon_agent.domain.clock import SECOND, Clock
from qmon_agent.domain.errors import QueryError
from qmon_agent.domain.schedules import zone_of
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.ledger import RemarkRecord
from qmon_sdk.protocol.schedules import ScheduleError

_NONE = "none"


def figures_since(
    state: StateStore,
    *,
    since_s: float,
    zone: str,
    people: Mapping[str, Sequence[str]],
    clock: Clock,
) -> dict[str, Any]:
    """Of the last so many seconds, up to now; blocks; raises QueryError for an unknown zone.

    `people` are those who may be on call, with their channels.
    """
    try:
        zone_of(zone)
    except ScheduleError as problem:
        raise QueryError(f"zone: {problem}") from None
    now = clock.now()
    since = now - round(since_s * SECOND)
    history = state.histories.since(since)
    nights = Nights(zone=zone, people=people)
    # What was merged is one episode, and counted once.
    lives = [each for each in history.lives if not each.merged_into]
    made = figures(lives, history.letters, since=since, until=now, nights=nights)
    told: dict[str, Any] = msgspec.to_builtins(made)
    return {**told, "zone": zone, "is_cut": history.is_cut}


def label_incident(
    state: StateStore, incident: str, asked: Mapping[str, Any], *, clock: Clock
) -> bool:
    """Say of one that it was useful, noise, or take it back by `none`; no if there is none of it.

    Raises QueryError for another word.
    """
    label = str(asked.get("text", ""))
    if label not in {*LABELS, _NONE}:
        raise QueryError(f"text: {label!r} is no label; there are {', '.join(LABELS)}, {_NONE}")
    # Of an episode, what counts is what is said of the incident that stands for it.
    handling = state.handlings.of([incident]).get(incident, UNHANDLED)
    said = RemarkRecord(
        incident=handling.merged_into or incident,
        at=clock.now(),
        kind=LABELLED,
        author=str(asked.get("by", ""))[:MOST_TEXT],
        text=label,
    )
    return state.histories.label(said)
