"""What keeps people from hearing of each incident now, in short words; empty where nothing does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from qmon_agent.alerting.routing_plan import Plan
from qmon_agent.app.judged import Judged
from qmon_agent.app.management import FLAPS
from qmon_agent.app.why import service_of
from qmon_agent.domain.alarms.handling import UNHANDLED
from qmon_agent.domain.alarms.intervals import closed_by
from qmon_agent.domain.alarms.matchers import Labels, known_by
from qmon_agent.domain.alarms.route_tree import routes_for
from qmon_agent.domain.alarms.storms import Storm
from qmon_agent.store.state.ledger import IncidentRecord
from qmon_agent.store.state.outbox import Outbox

Words = tuple[str, ...]


def muted_by(judged: Judged, found: Sequence[IncidentRecord], now: int) -> dict[str, Words]:
    """Incident → a silence, a window, what is worse, a time interval, that it flaps, a snooze.

    On the thread that judges, so that all of it is of one moment; what is over is left out.
    """
    still = [each for each in found if each.state != "inactive"]
    alerts = {each.id: each for each in judged.state.catalog.alerts()} if still else {}
    services = {name: service_of(alerts[name], judged.state) for name in {o.alert for o in still}}
    labels = [
        known_by(
            each.labels,
            alert=alerts[each.alert].name,
            severity=each.severity,
            service=services[each.alert],
        )
        for each in still
    ]
    hearing = judged.alerting.hearing
    flapping = {each.incident for each in judged.alerting.standings() if each.is_flapping}
    muting = hearing.muting.by(hearing.plan, labels, now)
    told: dict[str, Words] = {}
    for each, known, by in zip(still, labels, muting, strict=True):
        handling = hearing.handlings.get(each.id, UNHANDLED)
        told[each.id] = (
            *by,
            *(_closed(hearing.plan, known, now) if hearing.is_by_tree(alerts[each.alert]) else ()),
            *((FLAPS,) if each.id in flapping else ()),
            *(("snooze",) if handling.is_snoozed(now) else ()),
        )
    return told


def held_by_storms(
    storms: Mapping[str, Storm], outbox: Outbox, found: Sequence[IncidentRecord]
) -> dict[str, Words]:
    """Incident → the storm brake, of those whose message a channel does not get while it lasts."""
    if not storms:
        return {}
    held = outbox.held_since(min(each.since for each in storms.values()))
    return {each.id: ("storm",) for each in found if each.id in held and each.state != "inactive"}


def _closed(plan: Plan | None, labels: Labels, now: int) -> Iterator[str]:
    """The time intervals that keep all of its routes quiet."""
    if plan is None:
        return
    closed = [
        closed_by(plan.intervals, now, mute=route.mute_intervals, active=route.active_intervals)
        for route in routes_for(plan.root, labels)
    ]
    if closed and all(closed):
        yield from (f"interval {name}" for name in dict.fromkeys(sum(closed, ())))
