"""Lines of logs that have a text in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import Meta

from qmon_agent.store.telemetry.parameters import Value
from qmon_agent.store.telemetry.questions import Windowed

LEVELS: Mapping[str, str] = {
    **{level: level for level in ("", "trace", "debug", "info", "warn", "error", "fatal")},
    "notice": "info",
    "information": "info",
    "warning": "warn",
    "err": "error",
    "critical": "fatal",
    "crit": "fatal",
    "alert": "fatal",
    "emergency": "fatal",
}
"""What a level is called elsewhere, in small letters → what it is stored as."""
_LEVEL = rf"(?i)^(?:{'|'.join(LEVELS)})\Z"

TEXT = """
SELECT time, service, host, level, logger, body, trace_id, span_id
FROM logs
WHERE time >= $since AND time < $until
  AND ($service = '' OR service = $service) AND ($level = '' OR lower(level) = lower($level))
  AND strpos(lower(body), lower($contains)) > 0
ORDER BY time DESC, service, body
LIMIT $top
"""


class LogsSearchQuestion(Windowed, frozen=True, kw_only=True):
    """The newest lines that have a text in them, in large letters or small."""

    contains: Annotated[str, Meta(description="What to look for; nothing: every line.")] = ""
    level: Annotated[
        str,
        Meta(
            pattern=_LEVEL,
            description="One level only: trace, debug, info, warn (warning), error or fatal "
            "(critical), in any case.",
        ),
    ] = ""
    top: Annotated[int, Meta(ge=1, le=10_000, description="How many lines at most.")] = 100

    texts: ClassVar = {"raw": TEXT}
    units: ClassVar = {"time": "UTC"}

    def values(self) -> dict[str, Value]:
        """With the level as it is stored."""
        return {**super().values(), "level": LEVELS[self.level.lower()]}
