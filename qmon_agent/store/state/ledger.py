"""What alerting writes down in one transaction: states, incidents, transitions, postings, place."""

from __future__ import annotations

import msgspec

WAITING, HELD, SUPERSEDED = "waiting", "held", "superseded"
"""Superseded: outdated before it could be told, for the reason in `detail`."""


class IncidentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of one instance of an alert; zero times mean `not yet`."""

    id: str
    alert: int
    instance: str
    labels: dict[str, str] = {}
    state: str
    unknown: str = ""
    severity: str = "warning"
    value: float | None = None
    event_time: int = 0
    since: int
    fired_at: int = 0
    resolved_at: int = 0
    updated_at: int = 0


class TransitionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an incident; `reason` is for programs."""

    incident: str
    before: str
    after: str
    reason: str
    value: float | None = None
    at: int


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one channel, to be told until `deadline`; `key` is the same for ever."""

    key: str
    incident: str
    channel: str
    notice: str
    created_at: int
    due_at: int
    deadline: int
    status: str = WAITING
    """`held`: nobody is to hear of it, for the reason in `detail`, which is for programs."""
    detail: str = ""


class StateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule remembers of one instance, as JSON."""

    alert: int
    instance: str
    state: str
    updated_at: int = 0


class GroupRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One group of incidents that are told together, as JSON; `anchor` is its first incident."""

    id: str
    anchor: str
    state: str
    updated_at: int = 0


class MemberRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One incident of one group, and what was to be said of it last, as JSON."""

    alarm_group: str
    incident: str
    alarm: str
    notice: str


class RemarkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody, or time, has done with an incident; `kind` is for programs."""

    incident: str
    at: int
    kind: str
    author: str = ""
    text: str = ""


class Tried(msgspec.Struct, frozen=True):
    """A writing of which nobody knows yet whether it was committed, and how much it was."""

    token: str
    transitions: int = 0
    remarks: int = 0


class Entry(msgspec.Struct, kw_only=True):
    """One transaction's worth; everything in it is kept, or nothing."""

    tried: list[Tried] = []
    """Each time it was written, as a connection may be lost in the middle of a commit."""

    states: list[StateRecord] = []
    forgotten: list[tuple[int, str]] = []
    incidents: dict[str, IncidentRecord] = {}
    transitions: list[TransitionRecord] = []
    postings: list[Posting] = []
    braked: int = 0
    """How many of the postings the storm brake has seen."""
    handlings: dict[str, str] = {}
    """Incident → who looks after it, as JSON."""
    remarks: list[RemarkRecord] = []
    groups: dict[str, GroupRecord] = {}
    groups_over: set[str] = set()
    members: dict[tuple[str, str], MemberRecord] = {}
    members_gone: set[tuple[str, str]] = set()

    @property
    def has_news(self) -> bool:
        """Whether it is worth a transaction now, and not only when there is time."""
        changed = self.groups or self.groups_over or self.members or self.members_gone
        return bool(self.transitions or self.postings or self.remarks or changed)

    def keep_member(self, member: MemberRecord) -> None:
        """It is in the group, as it stands now."""
        key = (member.alarm_group, member.incident)
        self.members_gone.discard(key)
        self.members[key] = member

    def drop_member(self, group: str, incident: str) -> None:
        """It is in the group no more."""
        self.members.pop((group, incident), None)
        self.members_gone.add((group, incident))

    def keep_group(self, group: GroupRecord) -> None:
        """It stands so now; if it was over before, this is another one."""
        self.groups[group.id] = group

    def end_group(self, group: str) -> None:
        """There is no such group any more."""
        self.groups.pop(group, None)
        for key in [key for key in self.members if key[0] == group]:
            del self.members[key]
        self.groups_over.add(group)

    position: str = ""
    notes: dict[str, str] = {}
    """What is remembered beside the place, by name."""
