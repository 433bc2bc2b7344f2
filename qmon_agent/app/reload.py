"""Read again: the file as it is now, or, where it is wrong, everything as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from qmon_agent.alerting.usual import usual_of
from qmon_agent.app.beating import Heart
from qmon_agent.app.charting import StoreCharts
from qmon_agent.app.checking import Plugins, load_plugins
from qmon_agent.app.config import GoneError, LiveConfig
from qmon_agent.app.forwarding import Forwarding
from qmon_agent.app.linking import MessageLinks
from qmon_agent.app.parts import Parts, Plan
from qmon_agent.app.processing import Processing
from qmon_agent.app.systemd import notify, notify_reloading
from qmon_agent.app.tasks import Tasks
from qmon_agent.domain.errors import QmonError, in_full
from qmon_agent.ingest.sources import Source, make_sources
from qmon_agent.monitoring import ProbeRunner
from qmon_agent.monitoring.sampling import Pace, SamplerRunner
from qmon_agent.settings import Settings

if TYPE_CHECKING:
    from qmon_agent.notify import AlertNotifier

_STEP = "`qmon-agent check-config` tells it line by line"


class Services:
    """What a reload may exchange while all else goes on: notifier, samplers, probes and so on."""

    def __init__(self, plan: Plan, parts: Parts, *, config: LiveConfig, tasks: Tasks) -> None:
        self.notifier: AlertNotifier | None = None
        self.mount: Callable[[Mapping[str, Source]], Awaitable[None]] = _nowhere
        """Where doors lead to, for sources that come in by HTTP."""
        self.forwarding = Forwarding(plan, parts, tasks=tasks)
        self.processing = Processing(plan, parts, tasks=tasks)
        self.heart: Heart | None = None
        self._plan = plan
        self._parts = parts
        self._config = config
        self._tasks = tasks
        self._sampling: SamplerRunner | None = None
        self._one_at_a_time = asyncio.Lock()

    async def start_sources(self) -> None:
        """The first thing an agent does: whoever sends is heard."""
        for source in self._config.plugins.sources.values():
            await source.start(self._parts.taking.door)

    def start(self) -> None:
        """All the others, which stand on what judges."""
        self._start_notifier(self._config.plugins)
        self._start_samplers()
        self._start_probes()
        self.forwarding.start(self._config.plugins.sinks, self._config.settings.sinks)
        self._start_heartbeat()

    async def reload(self) -> str:
        """Never raises; what was wrong with the file is in the status until it is right.

        The answer is what came of it, in a line.
        """
        notify_reloading()
        step, is_in_file = "", True
        async with self._one_at_a_time:
            try:
                file = await asyncio.to_thread(self._config.find_file)
                settings, plugins = await asyncio.to_thread(load_plugins, file)
                is_in_file = False  # what fails now is a matter of this machine at this moment
                await self._switch(self._plan.as_said(settings), plugins, file=file)
            except Exception as problem:  # noqa: BLE001 - a plug-in may raise anything; the agent goes on
                self._config.refuse(_told(problem))
                step = "" if isinstance(problem, GoneError) or not is_in_file else f"; {_STEP}"
                self._parts.vitals.add("config_reload_failures")
            else:
                self._parts.vitals.add("config_reloads")
        notify("READY=1")
        if self._config.error:
            return f"not reloaded, the last good configuration stays: {self._config.error}{step}"
        by = "" if self._config.has_file else ", no file: the defaults are in force"
        return f"reloaded: configuration generation {self._config.generation}{by}"

    async def reload_and_tell(self) -> dict[str, Any]:
        """For who asked: the line, and what it says as figures and names."""
        said = await self.reload()
        return {"said": said, **self._config.outcome()}

    async def stop_sources(self) -> None:
        for source in self._config.plugins.sources.values():
            await source.stop()

    def said(self) -> Iterator[tuple[str, str]]:
        """How the loops of each do: their names, and what is wrong."""
        if self.notifier is not None:
            for name, pulse in self.notifier.pulses.items():
                yield f"channel {name}", pulse.trouble
        if self._sampling is not None:
            yield "samplers", self._sampling.pulse.trouble
        yield from self.processing.said()
        yield from self.forwarding.said()

    async def _switch(self, settings: Settings, plugins: Plugins, *, file: Path | None) -> None:
        before = self._config.settings
        await asyncio.to_thread(_declare, self._parts, settings)
        try:
            sources = await self._switch_sources(before, settings, plugins=plugins)
        except BaseException:
            await asyncio.to_thread(_declare, self._parts, before)
            raise
        self._config.take(settings, msgspec.structs.replace(plugins, sources=sources), file=file)
        await self._switch_sinks(before, settings, plugins=plugins)
        if settings.processors != before.processors:
            self.processing.switch(settings, plugins.processors)
        if settings.samplers != before.samplers:
            await self._tasks.cancel("samplers")
            self._start_samplers()
        if settings.probes != before.probes:
            await self._tasks.cancel("probes")
            self._start_probes()
        if settings.heartbeat != before.heartbeat:
            await self._tasks.cancel("heartbeat")
            self._start_heartbeat()
        if _who_is_told(settings) != _who_is_told(before):
            await self._switch_notifier(plugins)

    async def _switch_sources(
        self, before: Settings, after: Settings, *, plugins: Plugins
    ) -> dict[str, Source]:
        """Those whose section changed are opened anew; nobody notices at the others."""
        running = dict(self._config.plugins.sources)
        changed = [
            name
            for name in {*running, *plugins.sources}
            if before.sources.get(name) != after.sources.get(name)
        ]
        try:
            for name in changed:
                await self._exchange(name, plugins.sources.get(name), running)
            await self.mount(running)
        except BaseException:
            await self._go_back(running, changed, before=before)
            raise
        return running

    async def _exchange(self, name: str, new: Source | None, running: dict[str, Source]) -> None:
        if old := running.pop(name, None):
            await old.stop()
        if new is not None:
            # Entered first: what is half open when it fails has to be closed.
            running[name] = new
            await new.start(self._parts.taking.door)

    async def _go_back(
        self, running: dict[str, Source], changed: list[str], *, before: Settings
    ) -> None:
        """As it was: a source that cannot be opened must not cost the one that was open."""
        was = await asyncio.to_thread(make_sources, before.sources)
        for name in changed:
            try:
                await self._exchange(name, was.get(name), running)
            except (QmonError, OSError) as problem:
                self._parts.vitals.add("config_return_failures", error=type(problem).__name__)
        self._config.plugins = msgspec.structs.replace(self._config.plugins, sources=running)
        await self.mount(running)

    async def _switch_sinks(self, before: Settings, after: Settings, *, plugins: Plugins) -> None:
        changed = {
            name: plugins.sinks.get(name)
            for name in {*before.sinks, *after.sinks}
            if before.sinks.get(name) != after.sinks.get(name)
        }
        self._parts.taking.pass_on({} if after.processors else after.sinks)
        await self.forwarding.switch(changed, plugins.sinks, after.sinks)

    async def _switch_notifier(self, plugins: Plugins) -> None:
        await self._tasks.cancel("notifier")
        self._parts.judged.alerting.tell(
            tuple(plugins.channels),
            plugins.routing,
            windows=plugins.windows,
            storm=plugins.storm,
        )
        self._start_notifier(plugins)

    def _start_notifier(self, plugins: Plugins) -> None:
        store, clock = self._parts.store, self._plan.clock
        self.notifier = self._parts.judged.notifier(
            plugins.channels,
            clock=clock,
            vitals=self._parts.vitals,
            charts=StoreCharts(store.query, clock) if store is not None else None,
            links=self._links(),
        )
        self._tasks.run("notifier", self.notifier.run)

    def _links(self) -> MessageLinks | None:
        settings, clock = self._config.settings, self._plan.clock
        if not settings.http.public_url:
            return None
        kinds = {name: str(table.get("kind", name)) for name, table in settings.channels.items()}
        return MessageLinks(settings.http, self._parts.links, kinds=kinds, clock=clock)

    def _start_samplers(self) -> None:
        samplers = self._config.plugins.samplers
        self._sampling = None
        if not samplers:
            self._config.health = {}
            return
        runner = SamplerRunner(
            samplers,
            self._parts.taking.host.submit,
            pace=Pace(interval_s=self._config.settings.samplers.interval_s),
            clock=self._plan.clock,
            vitals=self._parts.vitals,
        )
        self._sampling, self._config.health = runner, runner.health
        self._tasks.run("samplers", runner.run)

    def _start_probes(self) -> None:
        probes = self._config.plugins.probes
        runner = ProbeRunner(
            probes,
            self._parts.taking.host.submit,
            clock=self._plan.clock,
            vitals=self._parts.vitals,
        )
        self._config.probes = runner.health
        if probes:
            self._tasks.run("probes", runner.run)

    def _start_heartbeat(self) -> None:
        options = self._config.settings.heartbeat
        self._config.heartbeat = None
        if self.heart is not None and (options.url or options.monitor):
            self._config.heartbeat = self.heart.runner(options)
            self._tasks.run("heartbeat", self._config.heartbeat.run)


def _told(problem: Exception) -> str:
    if isinstance(problem, QmonError):
        return "; ".join(map(in_full, (problem, *problem.others)))
    return f"{type(problem).__name__}: {problem}"


def _declare(parts: Parts, settings: Settings) -> None:
    parts.judged.alerting.declare(settings.alerts, usual_of(settings))


async def _nowhere(_: Mapping[str, Source]) -> None:
    """Before there are doors."""


def _who_is_told(settings: Settings) -> tuple[object, ...]:
    told = settings.channels, settings.routing, settings.oncall, settings.maintenance
    return *told, settings.storm
