"""Background work by name: what fails is counted and begun again, what is cancelled stays so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from qmon_agent.vitals import Vitals

_PAUSE_S = 1.0


class Tasks:
    """The agent's own tasks."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals
        self._running: dict[str, asyncio.Task[None]] = {}

    def run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._running[name] = asyncio.create_task(self._keep(name, work), name=f"qmon-{name}")

    async def cancel(self, *names: str) -> None:
        """Ends these, and waits until they have; a name that does not run is none."""
        tasks = [task for name in names if (task := self._running.pop(name, None))]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
                return
            except Exception as problem:  # noqa: BLE001 - whatever it is, the agent goes on
                self._vitals.add("task_failures", task=name, error=type(problem).__name__)
            await asyncio.sleep(_PAUSE_S)
