"""What went beyond a budget, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qmon_agent.cli._shown import printable


def over_budget(status: Mapping[str, Any]) -> Iterator[str]:
    """What found no room among the series and names, and which label makes them many."""
    for name, each in status["cardinality"].items():
        if each["over"]:
            yield f"{each['over']} {name.replace('_', ' ')} over budget; see qmon-agent top"
    for row in status["over_budget"]:
        labels = ", ".join(f"{label} has about {n} values" for label, n in row["labels"].items())
        metric = printable(f"{row['metric']} of {row['service']}")
        yield f"{metric}: {row['series']} series, {row['over']} over; {printable(labels)}"
