"""What somebody shall be told: written by alerting into the outbox, read by the channels."""

from __future__ import annotations

from typing import Literal

import msgspec

from .alarms.matchers import known_by

STORM = "storm"
"""The rule of what is said of a storm, and why a message is held in one."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to say about one incident, or about several at once; times in nanoseconds UTC.

    What is said of a group stands in `members`, one notice each; then `incident` is the group's
    own, the same in all its messages, and the rest is what its members have in common.
    """

    incident: str
    status: Literal["firing", "acknowledged", "resolved"]
    reason: str
    alert: str
    description: str = ""
    severity: str = "warning"
    rule: str = ""
    system: str = ""
    metric: str = ""
    threshold: str = ""
    value: float | None = None
    text: str = ""
    labels: dict[str, str] = {}
    event_time: int = 0
    since: int = 0
    fired_at: int = 0
    resolved_at: int = 0
    receiver: str = ""
    group: str = ""
    """The name of the group that it is about, of one route and for its life alone."""
    group_labels: dict[str, str] = {}
    members: tuple[Notice, ...] = ()
    left_out: int = 0
    """How many members there are besides, in a message that would be too long."""

    @property
    def thread(self) -> str:
        """What all messages about the same have in common, and no others to the same channel."""
        return self.group or self.incident

    @property
    def matched_labels(self) -> dict[str, str]:
        """The labels by which routes, silences and inhibition know it."""
        return known_by(self.labels, alert=self.alert, severity=self.severity, service=self.system)
