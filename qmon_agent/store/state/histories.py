"""What became of incidents and messages, read for the figures of alerting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, exists, insert, or_, select

from qmon_agent.domain.alarms.histories import (
    LABELLED,
    Letter,
    Life,
    Remark,
    life_of,
    person_of,
)
from qmon_agent.domain.incidents import Transition

from .database import Database
from .ledger import RemarkRecord
from .tables import ALERTS, INCIDENTS, OUTBOX, REMARKS, TRANSITIONS

MOST_INCIDENTS = 20_000
MOST_LETTERS = 20_000
"""So many are read at most, the newest: the figures are made beside everything else."""
_AT_ONCE = 100


class _Said(msgspec.Struct, frozen=True):
    """What counts here of a notice; its members are passed over."""

    status: str = ""
    severity: str = ""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """All there is of a time; `is_cut` where there was more than is read."""

    lives: tuple[Life, ...]
    letters: tuple[Letter, ...]
    is_cut: bool


class Histories:
    """Read whole, in one transaction; and the labels, which cause nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def since(self, moment: int) -> History:
        """Incidents that began or fired since then, and messages that were written since."""
        incidents, letters = _incidents(moment), _letters(moment)
        ids = incidents.with_only_columns(INCIDENTS.c.id)
        told = letters.with_only_columns(OUTBOX.c.incident)
        with self._database.reading() as connection:
            moved, remarks = _moved(connection, ids), _remarks(connection, ids, told)
            lives = [
                life_of(_known(row), moved[row.id], remarks[row.id])
                for row in connection.execute(incidents)
            ]
            # Notices may be long, and little of them is wanted: never all of them at once.
            rows = connection.execute(letters.execution_options(yield_per=_AT_ONCE))
            written = [_letter(row, remarks[row.incident]) for row in rows]
        return History(
            lives=tuple(lives),
            letters=tuple(written),
            is_cut=len(lives) == MOST_INCIDENTS or len(written) == MOST_LETTERS,
        )

    def label(self, said: RemarkRecord) -> bool:
        """Keep what somebody thinks of an incident, also one that is over; no if there is none.

        Not by the ledger, which writes what alerting decides: nothing follows from a label.
        """
        row = msgspec.structs.asdict(said) | {"kind": LABELLED}
        with self._database.writing() as connection:
            there = exists().where(INCIDENTS.c.id == said.incident)
            if not connection.execute(select(there)).scalar():
                return False
            connection.execute(insert(REMARKS).values(row))
        return True


def _incidents(moment: int) -> Select[Any]:
    return (
        select(INCIDENTS, ALERTS.c.name.label("alert_name"))
        .join(ALERTS, ALERTS.c.id == INCIDENTS.c.alert)
        .where(or_(INCIDENTS.c.since >= moment, INCIDENTS.c.fired_at >= moment))
        .order_by(INCIDENTS.c.since.desc(), INCIDENTS.c.id)
        .limit(MOST_INCIDENTS)
    )


def _letters(moment: int) -> Select[Any]:
    return (
        select(OUTBOX)
        .where(OUTBOX.c.created_at >= moment)
        .order_by(OUTBOX.c.id.desc())
        .limit(MOST_LETTERS)
    )


def _moved(connection: Connection, incidents: Select[Any]) -> dict[str, list[Transition]]:
    asked = select(TRANSITIONS).where(TRANSITIONS.c.incident.in_(incidents))
    found: dict[str, list[Transition]] = defaultdict(list)
    for row in connection.execute(asked.order_by(TRANSITIONS.c.id)):
        moved = Transition(before=row.before, after=row.after, reason=row.reason, at=row.at)
        found[row.incident].append(moved)
    return found


def _remarks(connection: Connection, *incidents: Select[Any]) -> dict[str, list[Remark]]:
    asked = select(REMARKS).where(or_(*(REMARKS.c.incident.in_(each) for each in incidents)))
    found: dict[str, list[Remark]] = defaultdict(list)
    for row in connection.execute(asked.order_by(REMARKS.c.id)):
        said = Remark(kind=row.kind, at=row.at, by=row.author, text=row.text)
        found[row.incident].append(said)
    return found


def _known(row: Any) -> Life:
    return Life(
        incident=row.id,
        alert=row.alert_name,
        instance=row.instance,
        severity=row.severity,
        began_at=row.event_time or row.since,
    )


def _letter(row: Any, remarks: Iterable[Remark]) -> Letter:
    try:
        said = msgspec.json.decode(row.notice, type=_Said)
    except msgspec.MsgspecError:
        said = _Said()  # a channel that cannot read it either has refused it
    return Letter(
        incident=row.incident,
        channel=row.channel,
        status=row.status,
        created_at=row.created_at,
        sent_at=row.sent_at,
        attempts=row.attempts,
        says=said.status,
        severity=said.severity,
        person=person_of(remarks, row.created_at),
    )
