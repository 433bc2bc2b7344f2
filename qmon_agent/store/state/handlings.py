"""Who looks after incidents, and what was said of them, as rows."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, insert, select

from qmon_agent.domain.alarms.handling import Handling

from .database import Database, record
from .dialects import upsert
from .ledger import Entry, RemarkRecord
from .tables import HANDLINGS, INCIDENTS, REMARKS


class Handlings:
    """Written by `Incidents.write`, in the transaction of what they cause."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lasting(self) -> dict[str, Handling]:
        """Those of incidents that are not over."""
        of_open = (
            select(HANDLINGS.c.incident, HANDLINGS.c.state)
            .join(INCIDENTS)
            .where(INCIDENTS.c.state != "inactive")
        )
        return self._found(of_open)

    def of(self, incidents: list[str]) -> dict[str, Handling]:
        """Those of some incidents."""
        asked = select(HANDLINGS.c.incident, HANDLINGS.c.state)
        return self._found(asked.where(HANDLINGS.c.incident.in_(incidents)))

    def merged_into(self, incident: str) -> list[str]:
        """What is, or was at its end, merged into this one."""
        named = HANDLINGS.c.state.contains(f'"merged_into":"{incident}"', autoescape=True)
        return sorted(self._found(select(HANDLINGS.c.incident, HANDLINGS.c.state).where(named)))

    def remarks_of(self, incident: str) -> list[RemarkRecord]:
        """What was done with one, in order."""
        asked = select(REMARKS).where(REMARKS.c.incident == incident).order_by(REMARKS.c.id)
        with self._database.reading() as connection:
            return [record(RemarkRecord, row) for row in connection.execute(asked)]

    def _found(self, asked: Select[Any]) -> dict[str, Handling]:
        with self._database.reading() as connection:
            rows = connection.execute(asked).all()
        return {row[0]: msgspec.json.decode(row[1], type=Handling) for row in rows}


def write_handlings(
    connection: Connection, entry: Entry, now: int, *, remarks_done: int = 0
) -> None:
    """All that an entry says of them, behind the incidents that they are about."""
    rows = [
        {"incident": incident, "state": state, "updated_at": now}
        for incident, state in entry.handlings.items()
    ]
    upsert(connection, HANDLINGS, rows, keys=["incident"])
    if said := entry.remarks[remarks_done:]:
        connection.execute(insert(REMARKS), [msgspec.structs.asdict(remark) for remark in said])


def forget_handlings(connection: Connection, incidents: Select[Any]) -> None:
    """Delete what is known of incidents that are to be forgotten."""
    connection.execute(delete(HANDLINGS).where(HANDLINGS.c.incident.in_(incidents)))
    connection.execute(delete(REMARKS).where(REMARKS.c.incident.in_(incidents)))
