"""The papers of a step: the incident's row, its transitions, and what is to be told to whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from qmon_agent.domain.alarms.matchers import known_by
from qmon_agent.domain.catalog import Alert
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.incidents import ACTIVE, Transition, is_worse
from qmon_agent.domain.notices import Notice
from qmon_agent.domain.steadiness import FLAPPING, STEADY
from qmon_agent.store.state.ledger import Entry, IncidentRecord, Posting, TransitionRecord

from .evaluation import Cell
from .watch import LIFE

Status = Literal["firing", "acknowledged", "resolved"]

KEEP_TRYING_NS = 24 * 3_600 * SECOND
AT_ONCE = 0
"""Not the moment of the transition: a clock set back would keep the message waiting."""
REMOVED = "alert_removed"
ACKNOWLEDGED = "acknowledged"
ACK_EXPIRED, SNOOZE_ENDED = "ack_expired", "snooze_ended"
MERGED, SPLIT = "merged", "split"
"""Another is told in its place, from which its channels hear that it is over; or no longer."""
RENEWING = frozenset({ACK_EXPIRED, SNOOZE_ENDED, SPLIT})
"""Nobody looks after it any more: who was told hears of it again."""
NEWCOMER = "channel_added"
"""Nothing changed but who is told: somebody new hears that it fires."""
SILENCE_ENDED, MAINTENANCE_ENDED = "silence_ended", "maintenance_ended"
"""Nothing changed but that nobody is kept from hearing of it any more."""
LATE = frozenset({NEWCOMER, SILENCE_ENDED, MAINTENANCE_ENDED})
"""It fires for a while already, and somebody hears of it only now."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One instance of one alert that changed."""

    alert: Alert
    system: str = ""
    metric: str = ""
    instance: str
    before: Cell
    after: Cell
    transitions: tuple[Transition, ...]

    @property
    def severity(self) -> str:
        return self.after.severity or self.alert.severity

    @property
    def labels(self) -> dict[str, str]:
        """Those of the instance, and the alert's priority, so that it can be routed by."""
        priority = self.alert.options.get(LIFE, {}).get("priority", "")
        return dict(self.after.labels) | ({"priority": priority} if priority else {})

    @property
    def matched_labels(self) -> dict[str, str]:
        """The labels by which routes, silences and inhibition know it."""
        return known_by(
            self.labels, alert=self.alert.name, severity=self.severity, service=self.system
        )


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to tell, and whether also that it is over."""

    channels: tuple[str, ...]
    ends_too: bool = True
    by_tree: bool = False
    """Whether the routing tree decides who else is told."""
    renews: bool = False
    """Whether they may have heard of it already, and are to hear of it again."""


def is_steady_again(transition: Transition) -> bool:
    """Whether it flaps no more, and fires: whoever heard that it flaps hears how it stands."""
    return transition.reason == STEADY and transition.after == "firing"


def begins(transition: Transition) -> bool:
    """Whether it fires from now on."""
    return transition.after in ACTIVE and transition.before not in ACTIVE


def write_up(entry: Entry, change: Change, telling: Telling) -> tuple[Notice, ...]:
    """Add to the entry all that follows from a change; the answer is what the tree has to tell."""
    incident = _incident(change)
    notices = []
    entry.incidents[incident.id] = incident
    for transition in change.transitions:
        entry.transitions.append(_transition(incident, transition))
        entry.postings += _postings(change, incident, transition, telling=telling)
        status = _worth_telling(transition, telling)
        if telling.by_tree and status is not None:
            notices.append(_notice(change, incident, transition, status=status))
    return tuple(notices)


def _incident(change: Change) -> IncidentRecord:
    last = change.transitions[-1]
    over = change.after.episode.state == "inactive"
    # An episode that is over has forgotten its times; the one before it still knows them.
    episode = change.before.episode if over else change.after.episode
    return IncidentRecord(
        id=change.after.incident,
        alert=change.alert.id,
        instance=change.instance,
        labels=change.labels,
        state=change.after.episode.state,
        unknown=change.after.episode.unknown,
        severity=change.severity,
        value=change.after.value,
        event_time=change.after.event_time,
        since=episode.since,
        fired_at=episode.fired_at,
        resolved_at=last.at if over else 0,
        updated_at=last.at,
    )


def _transition(incident: IncidentRecord, transition: Transition) -> TransitionRecord:
    return TransitionRecord(
        incident=incident.id,
        before=transition.before,
        after=transition.after,
        reason=transition.reason,
        value=incident.value,
        at=transition.at,
    )


def _postings(
    change: Change, incident: IncidentRecord, transition: Transition, *, telling: Telling
) -> Iterator[Posting]:
    status = _worth_telling(transition, telling)
    if status is None:
        return
    # An incident that gets worse is told again, once for each step up.
    again = f".{incident.severity}" if is_worse(transition.reason) else ""
    renews = transition.reason in RENEWING or is_steady_again(transition)
    renews = renews or transition.reason == MERGED or telling.renews
    if renews or status == "acknowledged":
        again = f".{transition.at // 1_000:x}"
    notice = msgspec.json.encode(_notice(change, incident, transition, status=status)).decode()
    for channel in telling.channels:
        yield Posting(
            key=f"{incident.id}.{status}.{channel}{again}",
            incident=incident.id,
            channel=channel,
            notice=notice,
            created_at=transition.at,
            due_at=AT_ONCE,
            deadline=transition.at + KEEP_TRYING_NS,
        )


def _worth_telling(transition: Transition, telling: Telling) -> Status | None:
    before, after = transition.before in ACTIVE, transition.after in ACTIVE
    if transition.reason == ACKNOWLEDGED:
        return "acknowledged"
    if is_steady_again(transition):
        return "firing"
    if transition.reason in RENEWING:
        return "firing"
    if begins(transition) or transition.reason in LATE or is_worse(transition.reason):
        return "firing"
    ended = (before and not after) or transition.reason == MERGED
    return "resolved" if ended and telling.ends_too else None


def _notice(
    change: Change, incident: IncidentRecord, transition: Transition, *, status: Status
) -> Notice:
    return Notice(
        incident=incident.id,
        status=status,
        reason=FLAPPING if _begins_to_flap(change) else transition.reason,
        alert=change.alert.name,
        description=change.alert.description,
        severity=change.severity,
        rule=change.alert.rule,
        system=change.system or incident.labels.get("service", ""),
        metric=change.metric,
        threshold=change.alert.threshold,
        value=incident.value,
        text=_text(change, transition),
        labels=incident.labels,
        event_time=incident.event_time,
        since=incident.since,
        fired_at=incident.fired_at,
        resolved_at=transition.at if transition.reason == MERGED else incident.resolved_at,
    )


def _begins_to_flap(change: Change) -> bool:
    return any(each.reason == FLAPPING for each in change.transitions)


def _text(change: Change, transition: Transition) -> str:
    said = ""
    if change.after.flaps.is_flapping:
        said = "it flaps, and what changes is not told until it is steady"
    elif is_steady_again(transition):
        said = "it is steady again"
    elif transition.reason == REMOVED:
        said = "its alert was taken out of the configuration"
    return "; ".join(each for each in (said, change.after.text) if each)
