"""The part that judges what was taken: built on a thread, when the doors are open already."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import msgspec

from qmon_agent.alerting.service import AlertService
from qmon_agent.app.conservation import Conservation
from qmon_agent.app.journals import load_conservation, walk_start
from qmon_agent.app.judging import Judging, position_of
from qmon_agent.app.parts import Hears, Plan, Taking
from qmon_agent.app.walk import Walk
from qmon_agent.domain.clock import Clock
from qmon_agent.journal import PATIENCE_S, JournalReader
from qmon_agent.monitoring.discovery import Discovery
from qmon_agent.monitoring.latest import LatestValues
from qmon_agent.notify.channels import Channel
from qmon_agent.notify.linking import Links
from qmon_agent.notify.notifier import AlertNotifier, Charts
from qmon_agent.notify.retrying import Sending
from qmon_agent.store.state import StateStore
from qmon_agent.vitals import Vitals


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """From the disk to whoever has to know."""

    state: StateStore
    latest: LatestValues
    alerting: AlertService
    conservation: Conservation
    walk: Walk

    def notifier(
        self,
        channels: Mapping[str, Channel],
        *,
        clock: Clock,
        vitals: Vitals,
        charts: Charts | None,
        links: Links | None,
    ) -> AlertNotifier:
        """Who sends what the rules have written, by these channels."""
        return AlertNotifier(
            self.state.outbox,
            channels,
            clock=clock,
            vitals=vitals,
            sending=Sending(links=links),
            charts=charts,
        )


def open_judged(plan: Plan, hears: Hears, *, taking: Taking, vitals: Vitals) -> Judged:
    """Opens the state and begins nothing; blocks, as importing its engine alone takes a while."""
    section = plan.settings.store
    state = StateStore.open(
        section.state or f"sqlite:///{plan.locations.state}/state.db",
        plan.clock,
        password=section.state_password,
        owner=f"{socket.gethostname()}, process {os.getpid()}, {plan.locations.state}",
    )
    try:
        return _judged(state, plan, hears, taking=taking, vitals=vitals)
    except BaseException:
        state.close()
        raise


def _judged(
    state: StateStore, plan: Plan, hears: Hears, *, taking: Taking, vitals: Vitals
) -> Judged:
    alerting = AlertService(
        state,
        channels=tuple(plan.plugins.channels),
        clock=plan.clock,
        vitals=vitals,
        posted=hears.posted,
        found=taking.found.keep,
    )
    plugins = plan.plugins
    alerting.tell(
        tuple(plugins.channels), plugins.routing, windows=plugins.windows, storm=plugins.storm
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
        open_reader=lambda position: JournalReader(
            plan.locations.journal, position, patience_s=PATIENCE_S
        ),
        start=walk_start(taking.journal, judged, conservation),
        vitals=vitals,
        tick=alerting.tick,
    )
    return Judged(
        state=state, latest=latest, alerting=alerting, conservation=conservation, walk=walk
    )
