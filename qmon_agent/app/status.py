"""How the agent is: every room's own word, what is wrong, and whether the books add up."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qmon_agent.alerting.braking import described
from qmon_agent.alerting.usual import USUALLY
from qmon_agent.app.busiest import budgets_of, metrics_of
from qmon_agent.app.config import LiveConfig
from qmon_agent.app.conservation import Stock
from qmon_agent.app.disk import DiskWatch
from qmon_agent.app.health import Health
from qmon_agent.app.journals import STORE
from qmon_agent.app.memory import resident_bytes
from qmon_agent.app.parts import Parts, Plan
from qmon_agent.app.reload import Services
from qmon_agent.domain.errors import StoreError
from qmon_agent.forward.places import SENDING
from qmon_agent.journal import JournalStatus
from qmon_agent.settings.retention import policy_of
from qmon_agent.settings.room import disk_of
from qmon_agent.store.telemetry import StoreStatus
from qmon_agent.store.telemetry.engines.clickhouse.address import is_clickhouse
from qmon_agent.store.telemetry.schema import TABLES

Document = dict[str, Any]
_READINGS = 3
_MOST_OVER = 5
_BETWEEN_READINGS_S = 0.1


class StatusReport:
    """Asks every room; nothing here is remembered between two reports."""

    def __init__(
        self, plan: Plan, parts: Parts, *, config: LiveConfig, services: Services, health: Health
    ) -> None:
        self.url = ""
        self._plan = plan
        self._parts = parts
        self._config = config
        self._forwarding = services.forwarding
        self._processing = services.processing
        self._services = services
        self._health = health
        self._disk = DiskWatch(plan)
        self._began = time.monotonic()

    async def make(self, *, readings: int = _READINGS) -> Document:
        parts = self._parts
        store = await parts.store.status() if parts.store else StoreStatus(state="off")
        journal = await asyncio.to_thread(parts.taking.journal.status)
        # Where the books are kept, so that nothing is written in them meanwhile.
        conservation, rules = await parts.judged.walk.on_thread(lambda: self._judged(store))
        if not conservation["adds_up"] and readings > 1:
            # Said only of what stays so: a message may be on its way from the worker.
            await asyncio.sleep(_BETWEEN_READINGS_S)
            return await self.make(readings=readings - 1)
        problems = [*self._problems(store, journal, conservation)]
        return {
            "well": not problems,
            "problems": problems,
            **self._health.describe(),
            "pid": os.getpid(),
            "url": self.url,
            "socket": str(self._plan.locations.socket),
            "state": str(self._plan.locations.state),
            "uptime_s": round(time.monotonic() - self._began, 3),
            "rss_bytes": resident_bytes(),
            "conservation": {**conservation, "held_by_processors": self._processing.held},
            "dead_letters": await asyncio.to_thread(self._dead_letters),
            "journal": msgspec.to_builtins(journal),
            "disk": await self._disk.look(),
            "store": {**msgspec.to_builtins(store), "lag": store.lag},
            "state_store": msgspec.to_builtins(await asyncio.to_thread(parts.judged.state.status)),
            "rules": rules,
            "sources": {
                name: dict(source.describe())
                for name, source in self._config.plugins.sources.items()
            },
            "turned_away": self._parts.taking.intake.turned_away.describe(),
            **self._budgets(),
            "processors": self._processing.describe(),
            "sinks": self._forwarding.describe(),
            **self._config.describe(),
            "vitals": parts.vitals.read(),
        }

    def _budgets(self) -> Document:
        """How much is active; the metrics that found no room, and what makes them many."""
        cardinality = self._parts.taking.intake.cardinality
        over = [each for each in metrics_of(cardinality) if each["over"]][:_MOST_OVER]
        memory = self._parts.taking.memory.describe()
        return {"memory": memory, "cardinality": budgets_of(cardinality), "over_budget": over}

    def _reads(self, reader: str) -> bool:
        """Without a store, what the bounds of the journal do not hold is lost on purpose."""
        if reader.startswith(SENDING):
            return False  # where the sink itself is, is told already
        return reader != STORE or self._parts.store is not None

    def _judged(self, store: StoreStatus) -> tuple[Document, Document]:
        return self._conservation(store), self._rules()

    def _conservation(self, store: StoreStatus) -> Document:
        judged = self._parts.judged
        # The two readers of the journal are compared only where both have read the same.
        counted = store.state == "running" and store.is_counted
        same = store.stored.record_id == judged.conservation.record_id
        stock = Stock(
            rows=_by_kind(store.rows),
            dead=judged.conservation.dead_rows,
            forgotten=_by_kind(store.forgotten),
            damaged=_by_kind(store.damaged_rows),
            aging=self._aging(),
            is_off=self._parts.store is None,
            place=store.stored.record_id,
            is_counted=counted,
            exact=same and counted,
        )
        return judged.conservation.balance(stock)

    def _aging(self) -> frozenset[str]:
        """Kinds of which some may be given up: with a budget of disk, every kind."""
        settings = self._plan.settings
        bounded = policy_of(settings.retention).bounded
        if disk_of(settings.store) is None or is_clickhouse(settings.store.telemetry):
            return bounded
        return bounded.union(table.kind for table in TABLES.values())

    def _dead_letters(self) -> dict[str, int]:
        """Those an earlier agent has left, and those since; it reads the disk."""
        letters = Counter(self._parts.taking.journal.dead_letters_found())
        for (name, labels), n in self._parts.vitals.counters().items():
            if name == "dead_letters":
                letters[dict(labels)["reason"]] += n
        return dict(letters)

    def _rules(self) -> Document:
        judged = self._parts.judged
        standings = judged.alerting.standings()
        states: dict[str, int] = {}
        unknown = 0
        for standing in standings:
            # What watches by itself, and has nothing to say, says nothing.
            if standing.created_by == USUALLY and standing.state == "inactive":
                continue
            states[standing.state] = states.get(standing.state, 0) + 1
            unknown += bool(standing.unknown)
        return {
            "lag": judged.walk.lag,
            "instances": states,
            "unknown": unknown,
            "flapping": sum(each.is_flapping for each in standings),
            "storms": dict(described(judged.alerting.storms)),
            "problems": judged.alerting.problems,
            "never_matched": judged.alerting.unmatched,
            "health": self._ailments(),
        }

    def _ailments(self) -> list[Document]:
        """What ails rules by what the state knows; nothing while that is away."""
        try:
            ailments = self._parts.judged.alerting.health(self._plan.clock.now())
        except StoreError:
            return []
        return [msgspec.to_builtins(each) for each in ailments]

    def _problems(
        self, store: StoreStatus, journal: JournalStatus, conservation: Document
    ) -> Iterator[str]:
        for name, trouble in self._health.hung().items():
            yield f"loop {name}: {trouble}"
        yield from self._journal_problems(journal)
        yield from _store_problems(store)
        if not conservation["adds_up"]:
            yield "conservation: the books do not add up"
        yield from self._parts.taking.memory.problems()
        yield from self._state_problems()
        if waits_for := self._parts.judged.walk.waits_for:
            yield f"rules: {self._parts.judged.walk.lag} records wait: {waits_for}"
        for name, health in self._config.health.items():
            if health.disabled:
                yield f"sampler {name}: {health.last_error}"
        yield from self._processing.problems()
        yield from self._forwarding.problems()
        yield from self._config.problems()
        if self._services.notifier is not None:
            yield from self._services.notifier.problems()

    def _journal_problems(self, journal: JournalStatus) -> Iterator[str]:
        if journal.trouble:
            yield f"journal: {journal.trouble}"
        lost = [f"{name} {n}" for name, n in journal.lost.items() if n and self._reads(name)]
        if lost:
            yield f"journal: records lost to readers that were too slow: {', '.join(lost)}"

    def _state_problems(self) -> Iterator[str]:
        judged = self._parts.judged
        if judged.state.trouble:
            yield f"state: {judged.state.trouble}; rules go on, and write it down afterwards"
        if judged.state.set_aside:
            yield f"state: the database was damaged and set aside as {judged.state.set_aside}"
        for name, problem in judged.alerting.problems.items():
            yield f"alert {name}: {problem}"


def _by_kind(by_table: Mapping[str, int]) -> dict[str, int]:
    return {table.kind: by_table.get(table.name, 0) for table in TABLES.values()}


def _store_problems(store: StoreStatus) -> Iterator[str]:
    if store.state not in {"off", "running", "starting"}:
        yield f"store: the worker is {store.state}"
    if store.ended:
        yield f"store: the worker gave up, and is started again: {store.ended}"
    if store.counts.get("export_failing"):
        yield "store: segments cannot be written; is the disk full? It is tried again"
    for sentence in store.damaged:
        yield f"store: {sentence}, and was set aside"
    if store.counts.get("manifest_rebuilt"):
        yield "store: the list of segments was damaged, and made anew from the segments"
