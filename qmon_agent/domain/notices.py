"""What somebody shall be told: written by alerting into the outbox, read by the channels."""

from __future__ import annotations

from typing import Literal

import msgspec


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to say about one incident; all times in nanoseconds UTC."""

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
