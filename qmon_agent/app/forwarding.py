"""The running forwarders: which there are follows the configuration, their places the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from qmon_agent.app.parts import Parts, Plan
from qmon_agent.app.tasks import Tasks
from qmon_agent.forward.forwarder import Forwarder, Supply
from qmon_agent.forward.places import forget_strangers
from qmon_agent.forward.sinks import Sink, routes_to

Sections = Mapping[str, Mapping[str, Any]]
"""`[sinks]` as it is written."""


class Forwarding:
    """One forwarder per sink, each a task of its own."""

    def __init__(self, plan: Plan, parts: Parts, *, tasks: Tasks) -> None:
        self._parts = parts
        self._supply = Supply(
            journal=parts.taking.journal,
            directory=plan.locations.journal,
            bury=parts.taking.keeper.bury,
            vitals=parts.vitals,
        )
        self._tasks = tasks
        self._running: dict[str, Forwarder] = {}

    def start(self, sinks: Mapping[str, Sink], sections: Sections) -> None:
        """Begins where each has been; those configured no more hold back nothing from here on."""
        forget_strangers(self._parts.taking.journal.cursors, sinks)
        self._parts.taking.committer.on_commit(lambda *_: self._committed())
        for name, sink in sinks.items():
            self._start(name, sink, sections[name])

    async def switch(
        self, changed: Mapping[str, Sink | None], sinks: Mapping[str, Sink], sections: Sections
    ) -> None:
        """Exchanges those whose section changed; their places stay, unless they are gone."""
        for name, sink in changed.items():
            await self._stop(name)
            if sink is not None:
                self._start(name, sink, sections[name])
        await asyncio.to_thread(forget_strangers, self._parts.taking.journal.cursors, sinks)

    async def drain(self) -> None:
        """Everything committed to every sink that takes it now."""
        await asyncio.gather(*(each.drain() for each in self._running.values()))

    async def stop(self) -> None:
        for name in [*self._running]:
            await self._stop(name)

    def describe(self) -> dict[str, dict[str, Any]]:
        return {name: forwarder.describe() for name, forwarder in self._running.items()}

    def said(self) -> Iterator[tuple[str, str]]:
        """How the loop of each does; from any thread."""
        for name, forwarder in [*self._running.items()]:
            yield f"sink {name}", forwarder.pulse.trouble

    def problems(self) -> Iterator[str]:
        for name, forwarder in self._running.items():
            if forwarder.problem:
                yield f"sink {name}: {forwarder.problem}"

    def _committed(self) -> None:
        for forwarder in self._running.values():
            forwarder.committed()

    def _start(self, name: str, sink: Sink, section: Mapping[str, Any]) -> None:
        routes = routes_to(name, section)
        forwarder = Forwarder(name, sink, supply=self._supply, routes=routes)
        self._running[name] = forwarder
        self._tasks.run(_task(name), forwarder.run)

    async def _stop(self, name: str) -> None:
        if forwarder := self._running.pop(name, None):
            await self._tasks.cancel(_task(name))
            forwarder.close()


def _task(name: str) -> str:
    return f"sink-{name}"
