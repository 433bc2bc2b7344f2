"""Every loop that an agent is nothing without, and how each does."""

from __future__ import annotations

from collections.abc import Iterator

from qmon_agent.app.housekeeping import Housekeeping
from qmon_agent.app.parts import Parts
from qmon_agent.app.reload import Services

Said = tuple[str, str]


class Loops:
    """Asks each for its own word; cheap, and safe from any thread."""

    def __init__(self, parts: Parts, services: Services, *, housekeeping: Housekeeping) -> None:
        self._parts = parts
        self._services = services
        self._housekeeping = housekeeping

    def all(self) -> dict[str, str]:
        """By name what is wrong, or nothing."""
        return dict(self._each())

    def troubles(self) -> dict[str, str]:
        return {name: trouble for name, trouble in self._each() if trouble}

    def _each(self) -> Iterator[Said]:
        yield "journal", self._parts.taking.committer.pulse.trouble
        if self._parts.has_judged:
            yield "rules", self._parts.judged.walk.trouble or self._housekeeping.trouble
        if self._parts.store is not None:
            yield "store", self._parts.store.trouble
        yield from self._services.said()
