"""What the disk holds of telemetry and journal, in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qmon_agent.domain.sizes import print_size

NEAR = 0.9
SOON_DAYS = 3.0
_UNKNOWN = "when it is full is not known: growth is not steady, or was seen for less than 6 hours"


def of_disk(disk: Mapping[str, Any]) -> str:
    """How much is taken, of how much, and when that is all."""
    telemetry, journal = disk["telemetry_bytes"], disk["journal_bytes"]
    used = f"{print_size(telemetry + journal)} ({print_size(journal)} of it journal)"
    if disk["budget_bytes"] is None:
        return f"{used}, no budget ([store] disk_bytes)"
    share = f"{disk['share'] * 100:.0f} % of {print_size(disk['budget_bytes'])}"
    return f"{used}, {share}, {_when(disk['filling'])}"


def is_soon(disk: Mapping[str, Any]) -> bool:
    """Whether it is said to be full within three days."""
    filling = disk["filling"]
    return bool(filling["verdict"] == "full_in" and filling["days"] < SOON_DAYS)


def _when(filling: Mapping[str, Any]) -> str:
    if filling["verdict"] == "unknown":
        return _UNKNOWN
    days = filling["days"]
    if not days:
        return "full"
    word = "in about" if filling["verdict"] == "full_in" else "not before"
    return f"full {word} {days:.1f} days"
