"""The process around an agent: one per state directory, its loop, its signals, its exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping

import msgspec

from qmon_agent.app.agent import Agent
from qmon_agent.app.checking import load_plugins
from qmon_agent.app.parts import Plan
from qmon_agent.domain.clock import SystemClock
from qmon_agent.domain.errors import ConfigError, StateAwayError
from qmon_agent.ingest.listening import address_of
from qmon_agent.settings import Locations
from qmon_agent.settings.claim import Claim

# A stop that hangs is ended by the kernel: what was acknowledged is on disk anyway.
_DEADLINE_S = 40.0
_RELOAD_S = 2.0

Say = Callable[[str], None]


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """Where the daemon speaks."""

    ready: Callable[[Mapping[str, str]], None]
    """Once, where its doors are."""
    note: Say
    """A line for whoever watches: stopping, stopped, reloaded."""


def run_agent(
    locations: Locations, *, voice: Voice, http: str | None = None, with_store: bool = True
) -> int:
    """Runs until SIGTERM or SIGINT; raises ConfigError and AlreadyRunningError before it begins."""
    plan = make_plan(locations, http=http, with_store=with_store)
    # Nothing an agent writes is for others; a socket says for itself who may open it.
    os.umask(0o077)
    claim = Claim(locations.lock)
    try:
        # What an agent that died left here may lead to another one by now.
        locations.whereabouts.unlink(missing_ok=True)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_live(plan, voice))
    finally:
        claim.release()
    voice.note("stopped")
    return 0


def make_plan(locations: Locations, *, http: str | None = None, with_store: bool = True) -> Plan:
    settings, plugins = load_plugins(locations.config)
    if http is not None:
        address_of(http, path="--http")
    plan = Plan(
        locations=locations,
        settings=settings,
        plugins=plugins,
        clock=SystemClock(),
        with_store=with_store,
        http=http,
    )
    return msgspec.structs.replace(plan, settings=plan.as_said(settings))


async def _live(plan: Plan, voice: Voice) -> None:
    try:
        agent = Agent(plan, say=voice.note)
        ready = await agent.start()
    except OSError as problem:
        # An address in use, a directory without rights: something only its user can change.
        raise ConfigError("run", str(problem)) from problem
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = asyncio.create_task(_reload(agent))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    voice.ready(ready)
    if not await _settled(agent, stopping):
        return
    await stopping.wait()
    if reloads:  # what came of one is told, however soon the end follows
        await asyncio.wait(reloads, timeout=_RELOAD_S)
    agent.log("stopping")
    signal.alarm(int(_DEADLINE_S))
    await agent.stop()
    signal.alarm(0)


async def _settled(agent: Agent, stopping: asyncio.Event) -> bool:
    """No where it was told to stop while its state database was away; it has stopped then."""
    settling, ending = asyncio.ensure_future(agent.settle()), asyncio.ensure_future(stopping.wait())
    await asyncio.wait({settling, ending}, return_when=asyncio.FIRST_COMPLETED)
    if stopping.is_set():
        agent.give_up()
    ending.cancel()
    try:
        await settling
    except StateAwayError:
        if not stopping.is_set():
            raise
        return False
    return True


async def _reload(agent: Agent) -> None:
    agent.log(await agent.services.reload())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop of uvloop where that is, and where nobody says `QMON_NO_UVLOOP=1`."""
    if os.environ.get("QMON_NO_UVLOOP") == "1" or sys.platform == "win32":
        return None
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
