"""Everything that happened in one trace."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from qmon_agent.store.telemetry.manifest import Within
from qmon_agent.store.telemetry.parameters import MINUTE, At, Length, Moment, Value
from qmon_agent.store.telemetry.questions import Definition

ANYWHERE = """
SELECT time, service, name, kind, status, duration_ns / 1e6 AS duration_ms, span_id, parent_id
FROM spans
WHERE trace_id = $trace_id
ORDER BY time, span_id
"""

NEAR = """
SELECT time, service, name, kind, status, duration_ns / 1e6 AS duration_ms, span_id, parent_id
FROM spans
WHERE trace_id = $trace_id AND time >= $since AND time < $until
ORDER BY time, span_id
"""


class TraceQuestion(Definition, frozen=True, kw_only=True):
    """The spans of one trace, in the order in which they began; with a time it is found sooner."""

    trace_id: Annotated[
        str,
        Meta(
            pattern="^[0-9a-f]{1,64}$",
            description="Its id: up to 64 digits of hexadecimal, in lower case.",
        ),
    ]
    near: Annotated[
        Moment | None, Meta(description="When it was, about; without, all that is kept is read.")
    ] = None
    around: Annotated[Length, Meta(description="How far from `near` is looked.")] = 20 * MINUTE

    texts: ClassVar = {"anywhere": ANYWHERE, "near": NEAR}
    units: ClassVar = {"time": "UTC", "duration_ms": "ms"}

    def text(self) -> str:
        return "anywhere" if self.near is None else "near"

    def within(self) -> Within | None:
        return None if self.near is None else Definition.within(self)

    def values(self) -> dict[str, Value]:
        near = self.near or 0
        bounds: dict[str, Value] = {
            "since": At(max(0, near - self.around)),
            "until": At(near + self.around + 1),
        }
        return Definition.values(self) | bounds
