"""What alerting is shown of one journal record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from qmon_sdk.protocol.signals import (
    CheckIn,
    Error,
    Event,
    Finding,
    Log,
    Point,
    Session,
    Snapshot,
)


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """Where an instance of an alert stands from now on; firing or not, or nobody knows."""

    alert: str
    instance: str
    labels: Mapping[str, str]
    fires: bool | None
    by_hand: bool = False
    """Whether somebody has resolved its incident."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the store has answered to the statement of a rule, row by row, or why it did not."""

    sql: str
    rows: tuple[Mapping[str, Any], ...] = ()
    failed: str = ""


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """The signals of one record that rules look at; `position` is the reader's place after it.

    `position` is a text of the app's own making: it is stored in the same transaction as whatever
    the record causes, and handed back by `AlertService.resume()`.
    """

    service: str
    time: int
    points: Sequence[Point] = ()
    """Mostly looked at by nobody: rows are made of them when somebody does."""
    errors: list[Error] = []
    sessions: list[Session] = []
    checkins: list[CheckIn] = []
    logs: Sequence[Log] = ()
    """Read only when somebody looks at them, like points."""
    events: Sequence[Event] = ()
    snapshots: Sequence[Snapshot] = ()
    findings: Sequence[Finding] = ()
    changed: tuple[Changed, ...] = ()
    """Not of the record, but what its judging has changed of other alerts."""
    is_again: bool = False
    """Whether all of it was shown before, and is shown again as after a start."""
    environment: str = ""
    release: str = ""
    replica: str = ""
    """Which instance of the service speaks; empty where nobody says so."""
    began: int = 0
    """When the process that speaks began, in nanoseconds since 1970; 0 where nobody says so."""
    record_id: int = 0
    replies: tuple[Reply, ...] = ()
    """Not of the record, but of the store."""
    position: str = ""
    names: dict[int, tuple[str, dict[str, str]]] = msgspec.field(default_factory=dict)
    """What the series of a point is called, by the point's id: many rules ask for the same."""
