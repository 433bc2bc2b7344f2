"""Groups of incidents as rows, written with the messages that they cause."""

from __future__ import annotations

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, exists, or_, select

from .database import Database, record
from .dialects import upsert
from .ledger import Entry, GroupRecord, MemberRecord
from .tables import ALARM_GROUPS, GROUP_MEMBERS, INCIDENTS


class Groups:
    """Read at a start; written by `Incidents.write`, in the transaction of what they cause."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[list[GroupRecord], list[MemberRecord]]:
        """Every group, and every incident in one, in the order in which they came to it."""
        members = select(GROUP_MEMBERS).join(INCIDENTS).order_by(INCIDENTS.c.since, INCIDENTS.c.id)
        with self._database.reading() as connection:
            groups = connection.execute(select(ALARM_GROUPS)).all()
            return (
                [record(GroupRecord, row) for row in groups],
                [record(MemberRecord, row) for row in connection.execute(members)],
            )


def write_groups(connection: Connection, entry: Entry, now: int) -> None:
    """All that an entry says of groups, behind the incidents that they are about."""
    for group, incident in entry.members_gone:
        one = and_(GROUP_MEMBERS.c.alarm_group == group, GROUP_MEMBERS.c.incident == incident)
        connection.execute(delete(GROUP_MEMBERS).where(one))
    for group in entry.groups_over:
        connection.execute(delete(GROUP_MEMBERS).where(GROUP_MEMBERS.c.alarm_group == group))
        connection.execute(delete(ALARM_GROUPS).where(ALARM_GROUPS.c.id == group))
    groups = [msgspec.structs.asdict(each) | {"updated_at": now} for each in entry.groups.values()]
    upsert(connection, ALARM_GROUPS, groups, keys=["id"])
    members = [msgspec.structs.asdict(each) for each in entry.members.values()]
    upsert(connection, GROUP_MEMBERS, members, keys=["alarm_group", "incident"])


def is_in_group() -> ColumnElement[bool]:
    """Of an incident: whether a group needs it still."""
    return or_(
        exists().where(GROUP_MEMBERS.c.incident == INCIDENTS.c.id),
        exists().where(ALARM_GROUPS.c.anchor == INCIDENTS.c.id),
    )
