"""The processors of the configuration: where there are none, nothing of this is there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from qmon_agent.app.arrivals import Arrivals
from qmon_agent.app.parts import Parts, Plan
from qmon_agent.app.policies import load_policies
from qmon_agent.app.taps import Taps
from qmon_agent.app.tasks import Tasks
from qmon_agent.ingest.declared import Step
from qmon_agent.settings import Settings

_TASK = "processors"


class Processing:
    """Puts the journal of arrivals between the sources and the main one, and takes it away."""

    def __init__(self, plan: Plan, parts: Parts, *, tasks: Tasks) -> None:
        """Opens the arrivals where somebody wants them, or something waits there."""
        self._plan = plan
        self._parts = parts
        self._tasks = tasks
        self._arrivals: Arrivals | None = None
        self._is_started = False
        self.taps = Taps(places=self._names, watch=self._watch)
        parts.taking.committer.on_commit(self.taps.committed)
        settings = plan.settings
        if settings.processors or load_policies(plan.locations.policies).waiting:
            self._want(self._open(), settings, plan.plugins.processors)

    def start(self) -> None:
        """From here on arrivals leave; before, they are taken and wait."""
        self._is_started = True
        if self._arrivals is not None:
            self._arrivals.start()
            self._tasks.run(_TASK, self._arrivals.turns)

    def switch(self, settings: Settings, steps: Sequence[Step]) -> None:
        """What arrives from now on goes through these."""
        if self._arrivals is not None:
            self._want(self._arrivals, settings, steps)
        elif settings.processors:
            self._want(self._open(), settings, steps)
            if self._is_started:
                self.start()

    async def drain(self) -> None:
        if self._arrivals is not None:
            await self._arrivals.drain()

    async def stop(self) -> None:
        await self._tasks.cancel(_TASK)
        if self._arrivals is not None:
            await self._arrivals.stop()

    async def close(self) -> None:
        if self._arrivals is not None:
            await asyncio.to_thread(self._arrivals.journal.close)

    def describe(self) -> dict[str, Any]:
        return {} if self._arrivals is None else self._arrivals.describe()

    @property
    def held(self) -> dict[str, int]:
        """Signals that are in no journal's books yet, by the processor that keeps them."""
        return {} if self._arrivals is None else self._arrivals.held

    def said(self) -> Iterator[tuple[str, str]]:
        """How the loops do that write arrivals, and take them on; from any thread."""
        if self._arrivals is not None:
            yield "arrivals", self._arrivals.committer.pulse.trouble
            yield "processors", self._arrivals.walk.trouble

    def problems(self) -> Iterator[str]:
        if self._arrivals is not None:
            yield from self._arrivals.problems()

    def _names(self) -> tuple[str, ...]:
        return self._arrivals.names if self._arrivals is not None else ()

    def _watch(self, is_on: bool) -> None:  # noqa: FBT001 - the one thing it is told
        if self._arrivals is not None:
            self._arrivals.look(self.taps.look if is_on else None)

    def _open(self) -> Arrivals:
        known = load_policies(self._plan.locations.policies)
        self._arrivals = Arrivals(
            self._plan, self._parts.taking, known=known, vitals=self._parts.vitals
        )
        return self._arrivals

    def _want(self, arrivals: Arrivals, settings: Settings, steps: Sequence[Step]) -> None:
        arrivals.want(settings.processors, steps)
        taking = self._parts.taking
        taking.keeper.divert(arrivals.journal, arrivals.committer, is_on=bool(settings.processors))
        # Bytes as they came would go past the processors.
        taking.pass_on({} if settings.processors else settings.sinks)
