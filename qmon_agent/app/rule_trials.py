"""Tests of rules run: the alert service over a state of its own, and a clock turned by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import isclose
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.alerting.service import AlertService
from qmon_agent.app.rule_acts import do
from qmon_agent.app.rule_cases import Expected, RuleCase, Told
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.durations import parse_duration, print_duration
from qmon_agent.domain.identity import instance_of
from qmon_agent.domain.incidents import ACTIVE
from qmon_agent.domain.notices import Notice
from qmon_agent.ingest.expected import Difference, Unlike
from qmon_agent.ingest.matching import Pattern
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.ledger import IncidentRecord

MILLI = 1_000_000
_CHANNEL = "test"
_MOST = 10_000
_SEEN_AS = {
    "point": "points",
    "error": "errors",
    "session": "sessions",
    "checkin": "checkins",
    "log": "logs",
    "event": "events",
    "snapshot": "snapshots",
    "finding": "findings",
}


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that fired; times since the beginning of the test, as durations are written."""

    alert: str
    fires: str
    resolves: str = ""
    """Empty: it still fires at the end."""
    labels: dict[str, str] = {}
    severity: str = ""
    value: float | None = None
    text: str = ""
    reason: str = ""
    unknown: str = ""


class RuleOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one test ended."""

    name: str
    differences: tuple[Difference, ...]
    fired: tuple[Fired, ...]
    judged: frozenset[str]
    """The alerts that had an instance."""

    @property
    def passed(self) -> bool:
        return not self.differences


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """What the tests of a file show of one rule."""

    alert: str
    rule: str
    fires_in: int
    """In so many tests."""
    judged_in: int


def run_case(ready: RuleCase, alerts: Sequence[AlertOptions]) -> RuleOutcome:
    """One test, from an empty state; what it takes from the disk is gone after it."""
    with TemporaryDirectory(prefix="qmon-rules-") as room:
        clock = HandClock(ready.start)
        store = StateStore.open(f"sqlite:///{room}/state.db", clock)
        try:
            service = AlertService(store, channels=(_CHANNEL,), clock=clock)
            service.declare(alerts)
            undone = _live(ready, service, clock)
            service.checkpoint()
            fired = (*_fired(store, ready.start),)
            judged = frozenset(standing.alert for standing in service.standings())
        finally:
            store.close()
    return RuleOutcome(
        name=ready.case.name,
        differences=(*undone, *_differences(ready.case.expect, fired)),
        fired=fired,
        judged=judged,
    )


def coverage(alerts: Sequence[AlertOptions], outcomes: Sequence[RuleOutcome]) -> list[Covered]:
    """Of each rule, in how many tests it fires, and in how many it had anything to judge."""
    fired = [{each.alert for each in outcome.fired} for outcome in outcomes]
    return [
        Covered(
            alert=alert.name,
            rule=alert.rule,
            fires_in=sum(alert.name in names for names in fired),
            judged_in=sum(alert.name in outcome.judged for outcome in outcomes),
        )
        for alert in alerts
    ]


def _live(ready: RuleCase, service: AlertService, clock: HandClock) -> list[Difference]:
    """The answer is what somebody was to do, and could not."""
    undone: list[Difference] = []
    for at, of in groupby(ready.told, key=lambda each: each.at):
        moment, told = ready.start + at, [*of]
        _wait(service, clock, moment)
        batches = [*_batches(told, moment)]
        for number, batch in enumerate(batches):
            # Just before the moment: who asks at it, asks when all of it has come.
            time = moment - len(batches) + number
            service.observe(msgspec.structs.replace(batch, time=time))
        service.tick(moment)
        done = (do(each.act, service, at=print_duration(at)) for each in told if each.act)
        undone += [each for each in done if each is not None]
    end = ready.start + ready.lasts
    _wait(service, clock, end)
    service.tick(end)
    return undone


def _wait(service: AlertService, clock: HandClock, until: int) -> None:
    """The seconds before a moment, one by one, as an agent has them."""
    while (now := clock.now()) < until:
        service.tick(now)
        clock.turn(min(SECOND, until - now) / SECOND)


def _batches(told: Sequence[Told], moment: int) -> Iterator[Observed]:
    """One for each who speaks at a moment."""
    by_speaker: dict[tuple[str, str, str, str, int], dict[str, list[Any]]] = {}
    for each in told:
        if each.act is not None:
            continue
        who, kind = each.put.resource, each.put.kind
        speaker = (who.service, who.environment, who.release, instance_of(who), who.started)
        of = by_speaker.setdefault(speaker, {})
        timed = [one if one[0] else one.replace(time=moment) for one in each.put.signals]
        of.setdefault(_SEEN_AS[kind], []).extend(timed)
    for (service, environment, release, replica, began), signals in by_speaker.items():
        yield Observed(
            service=service,
            environment=environment,
            release=release,
            replica=replica,
            began=began,
            time=moment,
            **signals,  # type: ignore[arg-type]  # what is shown as something is of its type
        )


def _fired(store: StateStore, start: int) -> Iterator[Fired]:
    names = {alert.id: alert.name for alert in store.catalog.alerts()}
    found = [each for each in store.incidents.find(limit=_MOST) if each.fired_at]
    for incident in sorted(found, key=lambda each: (each.fired_at, each.alert, each.instance)):
        yield _as_fired(store, incident, start=start, name=names[incident.alert])


def _as_fired(store: StateStore, incident: IncidentRecord, *, start: int, name: str) -> Fired:
    moved = store.incidents.transitions_of(incident.id)
    began = next((each for each in moved if each.after in ACTIVE), None)
    told = [
        msgspec.json.decode(each.notice, type=Notice) for each in store.outbox.about(incident.id)
    ]
    notice = next((each for each in told if each.status == "firing"), None)
    return Fired(
        alert=name,
        fires=_since(start, incident.fired_at),
        resolves=_since(start, incident.resolved_at) if incident.resolved_at else "",
        labels=incident.labels,
        severity=notice.severity if notice else incident.severity,
        value=notice.value if notice else incident.value,
        text=notice.text if notice else "",
        reason=began.reason if began else "",
        unknown=incident.unknown,
    )


def _since(start: int, at: int) -> str:
    return print_duration(round((at - start) / MILLI) * MILLI)


def _differences(expects: Sequence[Expected], fired: Sequence[Fired]) -> Iterator[Difference]:
    left = [*fired]
    missing = []
    for expected in expects:
        found = next((one for one in left if not [*unlike(expected, one)]), None)
        if found is None:
            missing.append(expected)
        else:
            left.remove(found)
    for expected in missing:
        yield _nearest(expected, left)
    for one in left:
        yield Difference(what="unexpected", got=said(one))


def _nearest(expected: Expected, left: Sequence[Fired]) -> Difference:
    near = [(one, [*unlike(expected, one)]) for one in left if one.alert == expected.alert]
    if not near:
        return Difference(what="missing", expected=said(expected))
    one, fields = min(near, key=lambda pair: len(pair[1]))
    return Difference(what="missing", expected=said(expected), got=said(one), fields=tuple(fields))


def said(told: Expected | Fired) -> dict[str, Any]:
    """All that is said of it."""
    kept = {key: value for key, value in msgspec.structs.asdict(told).items() if value is not None}
    return {key: value for key, value in kept.items() if value is False or value not in ("", {})}


def unlike(expected: Expected, fired: Fired) -> Iterator[Unlike]:
    """Where it is not as expected: the field, what should be there, and what is."""
    if expected.alert != fired.alert:
        yield "alert", expected.alert, fired.alert
        return
    if expected.fires != "" and _other_time(expected.fires, fired.fires):
        yield "fires", expected.fires, fired.fires
    yield from _unlike_end(expected, fired)
    for name in ("severity", "reason"):
        if getattr(expected, name) not in {"", getattr(fired, name)}:
            yield name, getattr(expected, name), getattr(fired, name)
    yield from _unlike_words(expected, fired)
    if expected.value is not None and not _is_close(expected.value, fired.value):
        yield "value", expected.value, fired.value


def _unlike_words(expected: Expected, fired: Fired) -> Iterator[Unlike]:
    for name, wanted in expected.labels.items():
        if not Pattern(wanted).fits(fired.labels.get(name, "")):
            yield f"labels.{name}", wanted, fired.labels.get(name)
    if expected.text and not Pattern(expected.text).fits(fired.text):
        yield "text", expected.text, fired.text


def _unlike_end(expected: Expected, fired: Fired) -> Iterator[Unlike]:
    ends = expected.resolves
    if ends is False and fired.resolves:
        yield "resolves", False, fired.resolves
    elif not isinstance(ends, bool) and ends != "" and _other_time(ends, fired.resolves):
        yield "resolves", ends, fired.resolves or False
    if expected.unknown != "" and (expected.unknown or "") != fired.unknown:
        yield "unknown", expected.unknown, fired.unknown or False


def _other_time(wanted: str | float, got: str) -> bool:
    return not got or parse_duration(wanted) != parse_duration(got)


def _is_close(wanted: float, got: float | None) -> bool:
    return got is not None and isclose(wanted, got, rel_tol=1e-9, abs_tol=1e-12)
