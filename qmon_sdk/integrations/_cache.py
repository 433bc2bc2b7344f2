"""What caches share: hits and misses, on spans and as counters."""

from __future__ import annotations

from qmon_sdk.metrics import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from qmon_sdk.metrics import Adding

    from ._sites import Pair

MOST_COMMANDS = 1000

_counters: dict[tuple[str, str], tuple[Adding, Adding]] = {}


def found(system: str, command: str, *, hits: int, misses: int) -> dict[str, Any] | Pair:
    """Count what was found and what was not; returns what the span says of it."""
    counters = _counters.get((system, command)) or _counters_of(system, command)
    if hits:
        counters[0](hits)
    if misses:
        counters[1](misses)
    hit = ("cache.hit", misses == 0 and hits > 0)
    return hit if hits + misses == 1 else dict([hit, ("cache.key_count", hits + misses)])


def _counters_of(system: str, command: str) -> tuple[Adding, Adding]:
    about = {"cache.system": system, "cache.command": command}
    made = tuple(count.bind(f"cache.{what}", attributes=about) for what in ("hits", "misses"))
    if len(_counters) < MOST_COMMANDS:
        _counters[system, command] = made  # type: ignore[assignment]
    return made  # type: ignore[return-value]
