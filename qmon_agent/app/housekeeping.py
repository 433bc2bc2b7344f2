"""What is done over and over while the agent runs: ticks, checkpoints, trimming, gauges."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from qmon_agent.app.conservation import Conservation
from qmon_agent.app.journals import RULES, save_conservation, save_cursor
from qmon_agent.app.judging import position_of
from qmon_agent.app.parts import Parts, Plan
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.ticks import until_tick
from qmon_agent.journal import Journal
from qmon_agent.vitals import Vitals

TICK_S = 1.0
LONGEST_TICK_S = 30.0
CHECKPOINT_S = 10.0
FORGET_S = 3_600.0
KEEP_STATE_NS = 90 * 86_400 * SECOND


class Housekeeping:
    """A handful of loops; what goes wrong in one turn is counted, and the next turn comes."""

    def __init__(self, plan: Plan, parts: Parts) -> None:
        self._plan = plan
        self._parts = parts
        self._tasks: list[asyncio.Task[None]] = []
        self._turns: dict[str, float] = {}

    def start(self) -> None:
        turns: dict[str, tuple[float, Callable[[], Awaitable[object]]]] = {
            "tick": (TICK_S, self._tick),
            "checkpoint": (CHECKPOINT_S, self.checkpoint),
            "trim": (self._plan.settings.journal.trim_interval_s, self._trim),
            "forget": (FORGET_S, self._forget),
        }
        self._turns = dict.fromkeys(turns, time.monotonic())
        for name, (interval_s, turn) in turns.items():
            task = asyncio.create_task(self._repeat(name, interval_s, turn), name=f"qmon-{name}")
            self._tasks.append(task)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def trouble(self) -> str:
        """What is wrong with the rules' thread, which every tick has to pass; from any thread."""
        now = time.monotonic()
        late_s = now - self._turns.get("tick", now)
        return f"no tick for {late_s:.0f} s" if late_s > LONGEST_TICK_S else ""

    async def checkpoint(self) -> None:
        """Everything the walk has made of the journal, on disk: from here a restart goes on."""
        await self._parts.judged.walk.on_thread(self._write_down)

    async def _tick(self) -> None:
        """The walk ticks when it has judged; only where nothing came it is woken for it."""
        walk = self._parts.judged.walk
        if walk.has_ended:
            self._parts.vitals.add("walk_restarts")
            walk.start(self._parts.taking.journal.committed)
        if time.monotonic() - walk.ticked_at >= TICK_S:
            await walk.on_thread(walk.tick)

    async def _trim(self) -> None:
        await asyncio.to_thread(_trim, self._parts.taking.journal, self._parts.vitals)

    async def _forget(self) -> None:
        """What was told, over or collected long ago leaves the state store."""
        before = self._plan.clock.now() - KEEP_STATE_NS
        forgotten = await asyncio.to_thread(self._parts.judged.state.forget, before)
        for kind, n in forgotten.items():
            self._parts.vitals.add("state_forgotten", n, kind=kind)

    def _write_down(self) -> None:
        judged = self._parts.judged
        judged.alerting.checkpoint()
        conservation: Conservation = judged.conservation
        save_conservation(conservation, self._plan.locations.conservation)
        done = min(judged.walk.position, position_of(judged.alerting.resume()))
        save_cursor(self._parts.taking.journal, RULES, done)

    async def _repeat(
        self, name: str, interval_s: float, turn: Callable[[], Awaitable[object]]
    ) -> None:
        while True:
            await asyncio.sleep(until_tick(asyncio.get_running_loop().time(), interval_s))
            try:
                await turn()
            except Exception as problem:  # noqa: BLE001 - a full disk now is no reason to stop for ever
                kind = type(problem).__name__
                self._parts.vitals.add("housekeeping_failures", turn=name, error=kind)
            self._turns[name] = time.monotonic()


def _trim(journal: Journal, vitals: Vitals) -> None:
    trimmed = journal.trim()
    vitals.add("journal_segments_trimmed", trimmed.segments)
    for reader, records in trimmed.lost.items():
        vitals.add("journal_records_lost", records, reader=reader)
    status = journal.status()
    for name in ("bytes", "segments", "pending_bytes", "free_bytes"):
        vitals.gauge(f"journal_{name}", getattr(status, name))
