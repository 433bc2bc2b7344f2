"""The agent's life: it takes within a second of its start, and stops in order."""

from __future__ import annotations

import asyncio
import gc
import json
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from qmon_agent import durable
from qmon_agent.alerting.usual import usual_of
from qmon_agent.app.asking import Asking
from qmon_agent.app.beating import Heart
from qmon_agent.app.busiest import BusyReport
from qmon_agent.app.config import LiveConfig
from qmon_agent.app.desk import AgentDesk
from qmon_agent.app.doors import Doors
from qmon_agent.app.forgetting import Forgetter
from qmon_agent.app.health import Health, Log
from qmon_agent.app.housekeeping import Housekeeping
from qmon_agent.app.itself import Itself
from qmon_agent.app.journals import STORE, save_cursor
from qmon_agent.app.loops import Loops
from qmon_agent.app.memory import give_back
from qmon_agent.app.opening import Opening
from qmon_agent.app.parts import Hears, Plan, build
from qmon_agent.app.reload import Services
from qmon_agent.app.status import StatusReport
from qmon_agent.app.systemd import notify
from qmon_agent.app.tasks import Tasks
from qmon_agent.app.watchdog import Watchdog
from qmon_agent.journal import Position
from qmon_agent.store.telemetry import Listeners
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import decode_frame

if TYPE_CHECKING:
    from qmon_agent.app.judged import Judged

# What each step of stopping may take; what is not done by then waits in the journal.
STEP_S = 4.0


class Agent:
    """Everything running; built, started and stopped on one loop."""

    def __init__(self, plan: Plan, *, say: Callable[[str], None] = lambda _: None) -> None:
        """`say` gets a line when somebody who watches the log should know; from any thread."""
        self.log = Log(say)
        listeners = Listeners(
            exported=self._exported, buried=self._buried, restarting=self._store_restarting
        )
        self._hears = Hears(posted=self._posted, listeners=listeners)
        self.parts = build(plan, self._hears)
        self._plan = plan
        self._config = LiveConfig(plan.locations, plan.settings, plan.plugins)
        self._tasks = Tasks(self.parts.vitals)
        self.services = Services(plan, self.parts, config=self._config, tasks=self._tasks)
        self.health = Health(self.parts)
        self._report = StatusReport(
            plan, self.parts, config=self._config, services=self.services, health=self.health
        )
        busy = BusyReport(self.parts, config=self._config, services=self.services)
        self.desk = AgentDesk(
            plan, self.parts, report=self._report, busy=busy, health=self.health, log=self.log
        )
        self.desk.page.in_force = lambda: self._config.plugins
        self.desk.reloading = self.services.reload_and_tell
        self.desk.passing = self.services.processing.taps.read
        self._doors = Doors(self.desk, plan.settings.http, scope_of=self.parts.tokens)
        self.services.mount = self._doors.mount
        self._housekeeping = Housekeeping(plan, self.parts)
        self.services.heart = Heart(plan, self.parts, is_well=lambda: self.health.is_ready)
        self._loops = Loops(self.parts, self.services, housekeeping=self._housekeeping)
        self.health.loops = self._loops.all
        self._opening = Opening(self._open_judged, away=self._note_away)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._errands: set[asyncio.Future[Any]] = set()

    async def start(self) -> dict[str, str]:
        """Opens every door; answers where they are. `settle` has to follow."""
        self._tasks.run("memory", self.parts.taking.memory.run)
        await self.services.start_sources()
        await self._doors.start(self._plan.locations, self._config.plugins.sources)
        self._report.url = self._doors.url
        self._write_whereabouts()
        code = self.desk.sessions.new_code()
        return {
            "socket": str(self._plan.locations.socket),
            "url": self._doors.url,
            "signin": f"{self._doors.url}/signin?code={code}",
        }

    async def settle(self) -> None:
        """What senders need not wait for: the state, the rules, the stores. Requests do wait.

        As long as the state database is away, it is tried again, and requests are told so.
        """
        self._loop = asyncio.get_running_loop()
        try:
            judged = await self._judged()
        except Exception:
            await self.stop()
            raise
        committer, journal = self.parts.taking.committer, self.parts.taking.journal
        committer.on_commit(judged.walk.committed)
        judged.walk.start(journal.committed)
        memory = self.parts.taking.memory
        memory.tell(lambda level: judged.walk.shrink(is_tight=bool(level)))
        self.services.start()
        self.services.processing.start()
        self._housekeeping.start()
        self._watch()
        self.health.stage, self.health.waits_for = "ready", ""
        self.parts.vitals.gauge("ready", 1)
        self._doors.let_in()
        notify("READY=1")
        await self._start_storing()
        # What is here now stays: the collector need not look at it at every full run.
        gc.collect()
        gc.freeze()
        give_back()

    async def _judged(self) -> Judged:
        """What judges, open; the store knows by then what it has to hold."""
        judged = await asyncio.to_thread(self.parts.add_judged, self._opening)
        await self.desk.keeping.tell_store()
        return judged

    async def _start_storing(self) -> None:
        if self.parts.store is not None:
            await self.parts.store.start()
            self.parts.store.committed(self.parts.taking.journal.committed)
        forgetter = Forgetter(
            self.parts, checkpoint=self._housekeeping.checkpoint, query=self._records
        )
        self.desk.keeping.forgetter = forgetter
        self._tasks.run("forgetting", forgetter.run)

    async def _records(self, sql: str) -> list[dict[str, Any]]:
        return (await self.desk.query(sql)).records()

    def give_up(self) -> None:
        """Wait no longer for a state database that is away: `settle` raises StateAwayError."""
        self._opening.give_up()

    async def stop(self) -> None:
        """In order: take no more, commit, judge and store what a moment allows, close."""
        notify("STOPPING=1")
        self.health.stage = "stopping"
        if self.health.watchdog is not None:
            await self._step("watchdog", self.health.watchdog.stop())
        await self._tasks.cancel(
            "samplers", "probes", "itself", "heartbeat", "memory", "statements", "forgetting"
        )
        await self._step("sources", self.services.stop_sources())
        await self._step("processors", self.services.processing.drain())
        await self._step("processors", self.services.processing.stop())
        await self._step("journal", self.parts.taking.committer.close())
        await asyncio.gather(self._stop_judging(), self._stop_storing(), self._stop_forwarding())
        await self._step("http", self._doors.stop())
        await self._close()

    def _asking(self) -> Asking:
        judged = self.parts.judged
        return Asking(
            judged.alerting,
            ask=self.desk.query,
            on_thread=judged.walk.on_thread,
            vitals=self.parts.vitals,
        )

    def _watch(self) -> None:
        watchdog = self.health.watchdog = Watchdog(
            self._loops.troubles,
            control=self._doors.control,
            hung=self._plan.locations.hung,
            note=self.log,
        )
        watchdog.start()
        self._tasks.run("statements", self._asking().run)
        itself = Itself(self._plan, self.parts, report=self._report, health=self.health)
        if self._config.settings.samplers.enabled and itself.interval_s:
            self._tasks.run("itself", itself.run)

    def _open_judged(self) -> Judged:
        # Imported here, on a thread: the state store's engine takes as long as all before it.
        from qmon_agent.app.judged import open_judged

        parts = self.parts
        judged = open_judged(self._plan, self._hears, taking=parts.taking, vitals=parts.vitals)
        try:
            settings = self._config.settings
            judged.alerting.declare(settings.alerts, usual_of(settings))
        except BaseException:
            judged.state.close()
            raise
        return judged

    def _note_away(self, reason: str) -> None:
        """From the thread that opens the state."""
        if reason != self.health.waits_for and self._loop is not None:
            self.health.waits_for = reason
            self.log(f"{reason}; signals are taken and kept, and it is tried again")
            self._loop.call_soon_threadsafe(self._doors.keep_out, reason)

    async def _stop_judging(self) -> None:
        if not self.parts.has_judged:
            return
        judged = self.parts.judged
        await self._step("rules", judged.walk.drain())
        await self._housekeeping.stop()
        await self._step("checkpoint", self._housekeeping.checkpoint())
        await self._tasks.cancel("notifier")
        await judged.walk.stop()

    async def _stop_storing(self) -> None:
        if self.parts.store is not None:
            await self._step("store", self.parts.store.stop())

    async def _stop_forwarding(self) -> None:
        await self._step("sinks", self.services.forwarding.drain())
        await self.services.forwarding.stop()

    async def _close(self) -> None:
        await asyncio.gather(*self._errands, return_exceptions=True)
        self.parts.taking.keeper.close()
        await self.services.processing.close()
        await asyncio.to_thread(self.parts.taking.journal.close)
        if self.parts.has_judged:
            self.parts.judged.state.close()
        self._plan.locations.whereabouts.unlink(missing_ok=True)

    async def _step(self, name: str, step: Awaitable[object]) -> None:
        """One step of stopping: whatever happens in it, the next one comes."""
        try:
            async with asyncio.timeout(STEP_S):
                await step
        except Exception as problem:  # noqa: BLE001 - the journal has to be closed in any case
            self.parts.vitals.add("stop_failures", step=name, error=type(problem).__name__)

    def _posted(self) -> None:
        if self.services.notifier is not None:
            self.services.notifier.wake()

    def _exported(self, position: Position) -> None:
        journal = self.parts.taking.journal
        known = journal.cursors.load(STORE)
        if known is None or known < position:
            self._on_thread(save_cursor, journal, STORE, position)

    def _store_restarting(self, why: str) -> None:
        gone = "the worker is gone and is started again; nothing is lost, it reads on"
        self.log(f"store: {why or gone}")

    def _buried(self, payload: bytes, reason: str) -> None:
        """A frame that the journal took, and no table does."""
        try:
            frame = decode_frame(payload)
        except WireError:
            return
        if self.parts.judged.conservation.bury(frame):
            self._keep(asyncio.ensure_future(self.parts.taking.keeper.bury(payload, reason)))

    def _on_thread(self, work: Any, *arguments: object) -> None:
        self._keep(asyncio.get_running_loop().run_in_executor(None, work, *arguments))

    def _keep(self, errand: asyncio.Future[Any]) -> None:
        # The loop itself holds its tasks only weakly.
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)

    def _write_whereabouts(self) -> None:
        whereabouts = {
            "pid": os.getpid(),
            "socket": str(self._plan.locations.socket),
            "control": str(self._doors.control),
            "url": self._doors.url,
            "query_timeout_s": self._plan.settings.store.query_timeout_s,
        }
        durable.replace(self._plan.locations.whereabouts, json.dumps(whereabouts).encode())
