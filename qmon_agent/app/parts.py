"""The one place where rooms are joined: every collaborator is built here, and nothing starts."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from qmon_agent.alerting.service import AlertService
from qmon_agent.app.checking import Plugins, keep_seconds
from qmon_agent.app.conservation import Conservation
from qmon_agent.app.host import HostProcess
from qmon_agent.app.journals import (
    RULES,
    STORE,
    hold_back_trimming,
    load_conservation,
    open_journal,
    walk_start,
)
from qmon_agent.app.judging import Judging, position_of
from qmon_agent.app.keeping import JournalKeeper
from qmon_agent.app.tokens import TokenMemory
from qmon_agent.app.walk import Walk
from qmon_agent.domain.clock import Clock
from qmon_agent.ingest.admission import Admission
from qmon_agent.ingest.pipeline import Intake
from qmon_agent.ingest.sources import Door
from qmon_agent.journal import GroupCommitter, Journal, JournalReader
from qmon_agent.monitoring.discovery import Discovery
from qmon_agent.monitoring.latest import LatestValues
from qmon_agent.notify import AlertNotifier
from qmon_agent.settings import Locations, Settings
from qmon_agent.store.state import StateStore
from qmon_agent.store.telemetry import Listeners, TelemetryOptions, TelemetryStore, directory_of
from qmon_agent.vitals import Vitals


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is to be."""

    locations: Locations
    settings: Settings
    plugins: Plugins
    clock: Clock
    with_store: bool = True


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
    host: HostProcess


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """From the disk to whoever has to know."""

    state: StateStore
    tokens: TokenMemory
    latest: LatestValues
    alerting: AlertService
    conservation: Conservation
    walk: Walk


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an agent is made of."""

    vitals: Vitals
    taking: Taking
    judged: Judged
    store: TelemetryStore | None


def build(plan: Plan, hears: Hears) -> Parts:
    """Builds an agent on the running loop; blocks for opening what is on disk."""
    vitals = Vitals()
    state = StateStore.open(
        plan.settings.store.state or f"sqlite:///{plan.locations.state}/state.db", plan.clock
    )
    tokens = TokenMemory(state.tokens.check)
    taking = _taking(plan, tokens, vitals)
    judged = _judged(plan, hears, state=state, tokens=tokens, journal=taking.journal, vitals=vitals)
    store = _store(plan, hears, vitals) if plan.with_store else None
    taking.committer.on_commit(judged.walk.committed)
    if store is not None:
        taking.committer.on_commit(lambda position, _: store.committed(position))
    return Parts(vitals=vitals, taking=taking, judged=judged, store=store)


def _taking(plan: Plan, tokens: TokenMemory, vitals: Vitals) -> Taking:
    options = plan.settings.admission
    journal = open_journal(
        plan.locations.journal, plan.settings.journal, admission=options, clock=plan.clock
    )
    # Also without a store: what comes meanwhile waits, within the journal's bounds, for one.
    for reader in (RULES, STORE):
        hold_back_trimming(journal, reader)
    committer = GroupCommitter(journal)
    keeper = JournalKeeper(journal, committer, vitals=vitals)
    intake = Intake(keeper, admission=Admission(options), vitals=vitals)
    door = Door(
        intake=intake,
        vitals=vitals,
        socket=plan.locations.socket,
        spool=plan.locations.spool,
        may_enter=tokens.may_enter,
    )
    return Taking(
        journal=journal,
        committer=committer,
        keeper=keeper,
        intake=intake,
        door=door,
        host=HostProcess(intake, clock=plan.clock),
    )


def _judged(
    plan: Plan,
    hears: Hears,
    *,
    state: StateStore,
    tokens: TokenMemory,
    journal: Journal,
    vitals: Vitals,
) -> Judged:
    channels = plan.plugins.channels
    alerting = AlertService(
        state, channels=tuple(channels), clock=plan.clock, vitals=vitals, posted=hears.posted
    )
    conservation = load_conservation(plan.locations.conservation)
    latest = LatestValues(vitals=vitals)
    judged = position_of(alerting.resume())
    judging = Judging(
        alerting,
        conservation=conservation,
        latest=latest,
        discovery=Discovery(state.catalog, vitals=vitals),
        judged=judged,
        vitals=vitals,
    )
    walk = Walk(
        judging,
        open_reader=lambda position: JournalReader(plan.locations.journal, position),
        start=walk_start(journal, judged, conservation),
        vitals=vitals,
    )
    return Judged(
        state=state,
        tokens=tokens,
        latest=latest,
        alerting=alerting,
        conservation=conservation,
        walk=walk,
    )


def _store(plan: Plan, hears: Hears, vitals: Vitals) -> TelemetryStore:
    section = plan.settings.store
    options = TelemetryOptions(
        keep_s=keep_seconds(plan.settings),
        directory=str(directory_of(telemetry_dsn(plan))),
        journal=str(plan.locations.journal),
        query_timeout_s=section.query_timeout_s,
        query_rows=section.query_rows,
    )
    return TelemetryStore(options, listeners=hears.listeners, vitals=vitals)


def make_notifier(plan: Plan, state: StateStore, vitals: Vitals) -> AlertNotifier:
    return AlertNotifier(state.outbox, plan.plugins.channels, clock=plan.clock, vitals=vitals)


def telemetry_dsn(plan: Plan) -> str:
    return plan.settings.store.telemetry or f"duckdb://{plan.locations.state}/telemetry"
