"""What rules have found out about a service, kept beside what the service told itself."""

from __future__ import annotations

import asyncio

from qmon_agent.alerting.rules import Found
from qmon_agent.app.host import OwnProcess
from qmon_agent.domain.clock import Clock
from qmon_agent.ingest.pipeline import Intake

MAX_SERVICES = 1_000
_REMEMBERED = 10_000


class FoundKeeper:
    """Speaks for each service by a process of its own; several alerts that find the same say it."""

    def __init__(self, intake: Intake, *, clock: Clock) -> None:
        """On the running loop, where everything is sent."""
        self._intake = intake
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._processes: dict[tuple[str, str], OwnProcess] = {}
        self._known: dict[str, None] = {}

    def keep(self, found: Found) -> None:
        """From any thread; what is found while the agent stops is found again by the next."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._send, found)

    def _send(self, found: Found) -> None:
        if found.key in self._known:
            return
        self._known[found.key] = None
        while len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        place = found.service, found.environment
        process = self._processes.pop(place, None) or self._made(found)
        self._processes[place] = process
        while len(self._processes) > MAX_SERVICES:
            del self._processes[next(iter(self._processes))]
        process.submit([found.checkin])

    def _made(self, found: Found) -> OwnProcess:
        return OwnProcess(
            self._intake,
            clock=self._clock,
            kind="checkin",
            service=found.service,
            environment=found.environment,
        )
