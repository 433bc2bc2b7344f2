"""Single spans that took longest."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from qmon_agent.store.telemetry.questions import Windowed

TEXT = """
SELECT time, service, name, kind, status, duration_ns / 1e6 AS duration_ms, trace_id, span_id
FROM spans
WHERE time >= $since AND time < $until AND duration_ns >= $at_least_ms * 1e6
  AND ($service = '' OR service = $service) AND ($name = '' OR name = $name)
ORDER BY duration_ns DESC, time, span_id
LIMIT $top
"""


class SlowestSpansQuestion(Windowed, frozen=True, kw_only=True):
    """The spans that took longest, with the traces they are in."""

    name: Annotated[str, Meta(description="Of one name only.")] = ""
    at_least_ms: Annotated[
        float, Meta(ge=0, le=1e12, description="Leave out what was faster, in milliseconds.")
    ] = 0.0
    top: Annotated[int, Meta(ge=1, le=10_000, description="How many at most.")] = 20

    texts: ClassVar = {"raw": TEXT}
    units: ClassVar = {"time": "UTC", "duration_ms": "ms"}
