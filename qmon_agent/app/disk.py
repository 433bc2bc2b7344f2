"""What telemetry and journal take on the disk, beside what they may, and when it will be full."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

from qmon_agent.app.parts import Plan
from qmon_agent.domain.filling import UNKNOWN, filled
from qmon_agent.settings.room import disk_of
from qmon_agent.store.telemetry import places_of
from qmon_agent.store.telemetry.taken import bytes_under

EVERY_S = 300.0
DAY_S = 86_400.0


class DiskWatch:
    """Looks when it is asked, and remembers a day of what it saw."""

    def __init__(self, plan: Plan) -> None:
        section, locations = plan.settings.store, plan.locations
        self._telemetry, _ = places_of(section.telemetry, locations.state / "telemetry")
        self._journal = Path(locations.journal)
        self._budget = disk_of(section)
        self._seen: deque[tuple[float, int]] = deque(maxlen=int(DAY_S / EVERY_S) + 1)

    async def look(self) -> dict[str, Any]:
        """On the running loop, which reads no disk."""
        telemetry, journal = await asyncio.to_thread(self._sizes)
        self._remember(telemetry + journal)
        said = self._foreseen(telemetry + journal)
        return {"telemetry_bytes": telemetry, "journal_bytes": journal, **said}

    def _sizes(self) -> tuple[int, int]:
        return bytes_under(self._telemetry), bytes_under(self._journal)

    def _remember(self, size: int) -> None:
        now = time.monotonic()
        if not self._seen or now - self._seen[-1][0] >= EVERY_S:
            self._seen.append((now, size))

    def _foreseen(self, size: int) -> dict[str, Any]:
        if self._budget is None:
            return {"budget_bytes": None, "share": None, "filling": msgspec.to_builtins(UNKNOWN)}
        samples = [*self._seen, (time.monotonic(), size)]
        return {
            "budget_bytes": self._budget,
            "share": round(size / self._budget, 4),
            "filling": msgspec.to_builtins(filled(samples, self._budget)),
        }
