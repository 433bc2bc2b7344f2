"""The one place where rooms are joined: every collaborator is built here, and nothing starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import msgspec

from qmon_agent.app.checking import Plugins
from qmon_agent.app.found import FoundKeeper
from qmon_agent.app.host import OwnProcess
from qmon_agent.app.journals import RULES, STORE, hold_back_trimming, open_journal
from qmon_agent.app.keeping import JournalKeeper
from qmon_agent.app.linking import LinkKeys
from qmon_agent.app.squeezing import MemoryWatch, of_others, within
from qmon_agent.app.tokens import TokenMemory, Valid
from qmon_agent.domain.clock import Clock
from qmon_agent.forward.places import sink_cursor
from qmon_agent.ingest.admission import Admission
from qmon_agent.ingest.cardinality import Cardinality
from qmon_agent.ingest.pipeline import Intake
from qmon_agent.ingest.recollection import Recollections, budget_of
from qmon_agent.ingest.sources import Door
from qmon_agent.journal import GroupCommitter, Journal
from qmon_agent.settings import Locations, Settings
from qmon_agent.settings.retention import policy_of
from qmon_agent.settings.room import disk_of, memory_of
from qmon_agent.store.telemetry import (
    Listeners,
    TelemetryOptions,
    TelemetryStore,
    places_of,
    with_memory,
)
from qmon_agent.store.telemetry.options import Joining, Scrubbing
from qmon_agent.vitals import Vitals

if TYPE_CHECKING:
    # Nothing here imports the state store's engine: an agent is ready before that has come.
    from qmon_agent.app.judged import Judged

OPENING_S = 10.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is to be."""

    locations: Locations
    settings: Settings
    plugins: Plugins
    clock: Clock
    with_store: bool = True
    http: str | None = None
    """Where it answers HTTP, whatever the file says."""

    def as_said(self, settings: Settings) -> Settings:
        """What a file says, but for what was said otherwise when the agent was started."""
        if self.http is None:
            return settings
        http = msgspec.structs.replace(settings.http, listen=self.http)
        return msgspec.structs.replace(settings, http=http)


class Hears(msgspec.Struct, frozen=True, kw_only=True):
    """What the parts tell the agent that holds them."""

    posted: Callable[[], None]
    """There is something to send; comes from the thread of the rules."""
    listeners: Listeners


class Taking(msgspec.Struct, frozen=True, kw_only=True):
    """From a source to the disk."""

    journal: Journal
    committer: GroupCommitter
    keeper: JournalKeeper
    intake: Intake
    door: Door
    host: OwnProcess
    found: FoundKeeper
    memory: MemoryWatch
    passed_on: set[str]
    """Protocols whose messages some sink passes on as they came."""

    def pass_on(self, sinks: Mapping[str, Mapping[str, Any]]) -> None:
        """As these sections of the configuration say; from the next message on."""
        self.passed_on.clear()
        self.passed_on.update(str(table.get("kind", name)) for name, table in sinks.items())


class Parts:
    """Everything an agent is made of; what judges comes last, when the doors are open already."""

    def __init__(
        self, *, vitals: Vitals, taking: Taking, tokens: TokenMemory, links: LinkKeys
    ) -> None:
        self.vitals = vitals
        self.taking = taking
        self.tokens = tokens
        self.links = links
        self.store: TelemetryStore | None = None
        self._judged: Future[Judged] = Future()

    @property
    def judged(self) -> Judged:
        """Waited for by whoever comes early, as a sender with a token may; raises what it met."""
        return self._judged.result(OPENING_S)

    @property
    def has_judged(self) -> bool:
        return self._judged.done() and self._judged.exception() is None

    def add_judged(self, open_it: Callable[[], Judged]) -> Judged:
        """From the thread that opens it."""
        try:
            judged = open_it()
        except BaseException as problem:
            self._judged.set_exception(problem)
            raise
        self._judged.set_result(judged)
        return judged


def build(plan: Plan, hears: Hears) -> Parts:
    """Builds all that takes, on the running loop; blocks for opening the journal."""

    def check(token: str) -> Valid | None:
        return parts.judged.state.tokens.check(token)

    vitals, tokens = Vitals(), TokenMemory(check)
    links = LinkKeys(plan.locations.links, plan.clock, ttl_s=plan.settings.http.link_ttl_s)
    parts = Parts(vitals=vitals, taking=_taking(plan, tokens, vitals), tokens=tokens, links=links)
    if plan.with_store:
        parts.store = store = _store(plan, hears, vitals)
        parts.taking.committer.on_commit(lambda position, _: store.committed(position))
    return parts


def _taking(plan: Plan, tokens: TokenMemory, vitals: Vitals) -> Taking:
    options = within(plan.settings.admission)
    journal = open_journal(
        plan.locations.journal, plan.settings.journal, admission=options, clock=plan.clock
    )
    # Also without a store: what comes meanwhile waits, within the journal's bounds, for one.
    for reader in (RULES, STORE, *map(sink_cursor, plan.settings.sinks)):
        hold_back_trimming(journal, reader)
    committer = GroupCommitter(journal)
    keeper = JournalKeeper(journal, committer, vitals=vitals)
    admission = Admission(options)
    intake = Intake(
        keeper,
        admission=admission,
        vitals=vitals,
        cardinality=Cardinality(plan.settings.cardinality, vitals=vitals),
    )
    memory = MemoryWatch(options, admission=admission, vitals=vitals, others=of_others())
    passed_on: set[str] = set()
    door = Door(
        intake=intake,
        vitals=vitals,
        socket=plan.locations.socket,
        spool=plan.locations.spool,
        may_enter=tokens.may_enter,
        passes_on=passed_on.__contains__,
        recollections=_recollections(options.process_memory_bytes, memory),
    )
    taking = Taking(
        journal=journal,
        committer=committer,
        keeper=keeper,
        intake=intake,
        door=door,
        host=OwnProcess(intake, clock=plan.clock),
        found=FoundKeeper(intake, clock=plan.clock),
        passed_on=passed_on,
        memory=memory,
    )
    taking.pass_on(plan.settings.sinks)
    return taking


def _recollections(process_bytes: int, memory: MemoryWatch) -> Recollections:
    made = Recollections(budget_of(process_bytes))
    memory.tell(made.squeeze)
    return made


def _store(plan: Plan, hears: Hears, vitals: Vitals) -> TelemetryStore:
    section = plan.settings.store
    directory, address = places_of(section.telemetry, plan.locations.state / "telemetry")
    policy = policy_of(plan.settings.retention)
    options = TelemetryOptions(
        policy=policy,
        directory=str(directory),
        address=address,
        password=section.telemetry_password,
        journal=str(plan.locations.journal),
        query_timeout_s=section.query_timeout_s,
        query_rows=section.query_rows,
        disk_bytes=disk_of(section),
        joining=Joining(is_on=section.joining),
        scrubbing=Scrubbing(is_on=section.scrubbing),
    )
    options = with_memory(options, memory_of(section))
    return TelemetryStore(options, listeners=hears.listeners, vitals=vitals)
