"""Why did, or did not, somebody hear of an alert: all that is known of it, as a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from qmon_agent.alerting import Standing
from qmon_agent.alerting.promql import Expressions
from qmon_agent.alerting.service import AlertService
from qmon_agent.app.dry_run import dry_run
from qmon_agent.app.judged import Judged
from qmon_agent.app.management import whole_incident
from qmon_agent.app.why_words import alert_answers, incident_answers
from qmon_agent.domain.alarms.groups import Group, Key, key_of, name_of
from qmon_agent.domain.alarms.matchers import known_by, print_matchers
from qmon_agent.domain.catalog import Alert
from qmon_agent.domain.clock import Clock
from qmon_agent.domain.errors import QueryError, nearest_to
from qmon_agent.domain.exposition_names import likely_names
from qmon_agent.domain.notices import Notice
from qmon_agent.monitoring.latest import Reading
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.outbox import Message

Document = dict[str, Any]
_MOST_INSTANCES = 20
_MOST_INCIDENTS = 5
_MOST_MISSED = 5


def why_incident(judged: Judged, name: str, *, channel: str, clock: Clock) -> Document:
    """Of one incident: its life, what was sent, what keeps it back now; raises QueryError.

    On the thread that judges, so that all of it is of one moment.
    """
    told = whole_incident(judged.state, name)
    if told is None:
        raise QueryError(f"there is no incident {name!r}; `qmon-agent incidents` lists them")
    alert = next(each for each in judged.state.catalog.alerts() if each.id == told["alert"])
    alerting, now = judged.alerting, clock.now()
    service = service_of(alert, judged.state)
    labels = known_by(told["labels"], alert=alert.name, severity=told["severity"], service=service)
    plan = alerting.hearing.plan
    is_by_tree = alerting.hearing.is_by_tree(alert)
    routing = dry_run(plan, labels, now) if plan and is_by_tree else None
    standing = _standing(alerting, alert, told["instance"])
    document = {
        "now": now,
        "incident": told,
        "labels": labels,
        "is_open": told["state"] != "inactive",
        "is_flapping": bool(standing and standing.incident == name and standing.is_flapping),
        "changes_at": standing.changes_at if standing and standing.incident == name else 0,
        "messages": [_message(each, routing) for each in judged.state.outbox.about(name)],
        "channels": [] if is_by_tree else [*(alert.channels or alerting.channels)],
        "routing": routing,
        "groups": [_group(*each) for each in alerting.hearing.groups_with(name)],
        "silences": [
            {**msgspec.to_builtins(each), "matchers": print_matchers(each.matchers)}
            for each in alerting.muting.of(
                labels, since=told["fired_at"], until=told["resolved_at"] or now
            )
        ],
        "muted_by": [*next(alerting.muting.by(plan, [labels], now))],
    }
    return document | {"answers": [*incident_answers(document, channel)]}


def why_alert(judged: Judged, name: str, *, channel: str, clock: Clock) -> Document:
    """Of an alert: where each of its instances stands, and what came of it last."""
    known = {each.name: each for each in judged.state.catalog.alerts()}
    if name not in known:
        near = ", ".join(nearest_to(name, known) or known)
        raise QueryError(f"there is no alert {name!r}; there are {near or 'none'}")
    alert, alerting = known[name], judged.alerting
    standings = [each for each in alerting.standings() if each.alert == name]
    incidents = judged.state.incidents.find(alert=alert.id, limit=_MOST_INCIDENTS)
    is_matched = name not in alerting.unmatched
    document = {
        "now": clock.now(),
        "alert": msgspec.to_builtins(alert),
        "problem": alerting.problems.get(name, ""),
        "is_matched": is_matched,
        "readings": [*_readings(judged, alert), *(() if is_matched else _missed(judged, alert))],
        "instances": len(standings),
        "standings": [msgspec.to_builtins(each) for each in _of_note(standings)],
        "incidents": [
            why_incident(judged, each.id, channel=channel, clock=clock)
            for each in incidents
            if each.fired_at
        ],
    }
    return document | {"answers": [*alert_answers(document)]}


def _standing(alerting: AlertService, alert: Alert, instance: str) -> Standing | None:
    found = (each for each in alerting.standings() if each.alert == alert.name)
    return next((each for each in found if each.instance == instance), None)


def _of_note(standings: Sequence[Standing]) -> list[Standing]:
    """Those that are not quiet first."""
    return sorted(standings, key=lambda each: each.state == "inactive")[:_MOST_INSTANCES]


def service_of(alert: Alert, state: StateStore) -> str:
    """Of an alert on a metric of one system, that; its labels say so else."""
    if alert.metric is None:
        return ""
    return state.catalog.system(state.catalog.metric(alert.metric).monitoring_system).name


def _message(message: Message, routing: Document | None) -> Document:
    notice = msgspec.json.decode(message.notice, type=Notice)
    told = msgspec.to_builtins(message)
    del told["notice"]
    return {
        **told,
        "says": notice.status,
        "reason": notice.reason,
        "of_group": len(notice.members) + notice.left_out,
        "receiver": notice.receiver,
        "route": _route_of(notice, routing),
    }


def _route_of(notice: Notice, routing: Document | None) -> str:
    """The route by which it was sent; nothing where the tree has it no more, or there was none."""
    for route in routing["routes"] if routing and notice.group else ():
        anchor = notice.group.rpartition("-")[0]
        if notice.group == name_of(anchor, key_of(route["route"], route["group"])):
            return str(route["route"])
    return ""


def _group(key: Key, group: Group) -> Document:
    return {
        "route": key[0],
        "labels": dict(key[1]),
        "members": len(group.alarms),
        "due_at": group.due_at,
        "told": [*group.told],
    }


def _readings(judged: Judged, alert: Alert) -> Iterator[Document]:
    """The newest value of what it looks at, of each system that sends it."""
    state = judged.state
    if alert.metric is not None:
        metric = state.catalog.metric(alert.metric)
        wanted, only = metric.name, state.catalog.system(metric.monitoring_system).name
    else:
        wanted, only = str(alert.options.get("metric", "")), str(alert.options.get("system", ""))
    if not wanted:
        return
    for system in state.catalog.systems():
        if only in {"", system.name}:
            for name, reading in judged.latest.latest(system.name, [wanted]).items():
                yield _reading(system.name, name, reading)


def _missed(judged: Judged, alert: Alert) -> Iterator[Document]:
    """The newest values by the names an expression asks for, though it has seen none of them."""
    if alert.rule != "promql":
        return
    asked = Expressions().parse(str(alert.options["expr"])).walk()
    wanted = frozenset(selector.name for selector, _ in asked)
    found = judged.latest.where(lambda metric: not wanted.isdisjoint(likely_names(metric)))
    newest = sorted(found, key=lambda each: -each[2].timestamp)
    yield from (_reading(*each) for each in newest[:_MOST_MISSED])


def _reading(system: str, metric: str, reading: Reading) -> Document:
    return {
        "system": system,
        "metric": metric,
        "value": reading.value,
        "at": reading.timestamp,
    }
