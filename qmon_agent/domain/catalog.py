"""What is under watch: systems, their metrics, the alerts on them and the values collected."""

from __future__ import annotations

from typing import Any

import msgspec

METRIC_TYPES = ("counter", "gauge", "distribution")
STATUSES = ("active", "inactive", "archived")
SEVERITIES = ("info", "warning", "error", "critical")


class MonitoringSystem(msgspec.Struct, frozen=True, kw_only=True):
    """A service under watch."""

    id: int = 0
    name: str
    description: str = ""
    created_by: str = ""
    created_at: int = 0
    updated_at: int = 0
    status: str = "active"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One number a system is watched by."""

    id: int = 0
    name: str
    description: str = ""
    metric_type: str = "gauge"
    monitoring_system: int
    created_at: int = 0
    updated_at: int = 0
    status: str = "active"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A condition somebody wants to hear about; `metric` is empty where a rule needs none."""

    id: int = 0
    name: str
    description: str = ""
    metric: int | None = None
    threshold: str = ""
    created_at: int = 0
    updated_at: int = 0
    status: str = "active"
    severity: str = "warning"
    channels: tuple[str, ...] = ()
    rule: str = "threshold"
    for_s: float = 0.0
    keep_firing_for_s: float = 0.0
    options: dict[str, Any] = {}
    created_by: str = ""


class Analytics(msgspec.Struct, frozen=True, kw_only=True):
    """One value of one metric, as it was collected."""

    id: int = 0
    metric: int
    value: float
    timestamp: int
    created_at: int = 0


def weight_of(severity: str) -> int:
    """How bad it is, from 0; one that is none of ours is as mild as the mildest."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else 0
