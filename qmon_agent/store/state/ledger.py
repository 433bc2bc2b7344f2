"""What alerting writes down in one transaction: states, incidents, transitions, postings, place."""

from __future__ import annotations

import msgspec


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


class StateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule remembers of one instance, as JSON."""

    alert: int
    instance: str
    state: str
    updated_at: int = 0


class Entry(msgspec.Struct, kw_only=True):
    """One transaction's worth; everything in it is kept, or nothing."""

    states: list[StateRecord] = []
    forgotten: list[tuple[int, str]] = []
    incidents: dict[str, IncidentRecord] = {}
    transitions: list[TransitionRecord] = []
    postings: list[Posting] = []
    position: str = ""
