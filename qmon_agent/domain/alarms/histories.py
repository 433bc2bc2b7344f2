"""What became of incidents and of messages about them, as the figures of alerting see it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.incidents import ACTIVE, Transition

Label = Literal["useful", "noise", ""]
LABELS: tuple[Label, ...] = ("useful", "noise")
LABELLED = "label"
"""The kind of a remark that says whether an incident was worth telling; its text is the label."""
SOON_NS = 5 * 60 * SECOND
"""What is over so soon, with nobody having done anything, was no work for anybody."""
_DEEDS = frozenset({"ack", "assign", "snooze", "resolve", "merge"})
_BY_ITSELF = "cleared"
_REMOVED = "alert_removed"


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has done with an incident, or said of it."""

    kind: str
    at: int = 0
    by: str = ""
    text: str = ""


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """One incident; times in nanoseconds UTC, and zero is `not`."""

    incident: str
    alert: str
    instance: str = ""
    severity: str = ""
    began_at: int = 0
    """When what it is about happened, by the data."""
    fired_at: int = 0
    acked_at: int = 0
    resolved_at: int = 0
    ended_by: str = ""
    firings: int = 0
    """How often it came to fire: once, and once more each time it came back."""
    is_handled: bool = False
    """Whether somebody took it on, gave it to somebody, put it off or ended it."""
    label: Label = ""
    merged_into: str = ""
    """The incident that counts in its place; empty: it counts itself."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and not because its alert was taken away."""
        return bool(self.resolved_at) and self.ended_by != _REMOVED

    @property
    def ended_by_itself(self) -> bool:
        """Whether it went away within five minutes, with nobody having done anything."""
        ended = bool(self.fired_at) and self.ended_by == _BY_ITSELF and not self.is_handled
        return ended and self.resolved_at - self.fired_at <= SOON_NS


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one channel."""

    incident: str
    channel: str
    status: str
    """What became of it: `sent`, `dead`, or still on its way."""
    created_at: int
    sent_at: int = 0
    attempts: int = 0
    says: str = ""
    """`firing`, `acknowledged` or `resolved`."""
    severity: str = ""
    person: str = ""
    """Who had its incident, or else took it on."""


def life_of(known: Life, transitions: Iterable[Transition], remarks: Sequence[Remark]) -> Life:
    """What is known of an incident, completed by its transitions and remarks, both in order."""
    fired_at = resolved_at = firings = 0
    ended_by = ""
    for each in transitions:
        if each.after == "firing" and each.before != "firing":
            firings += 1
        if each.after in ACTIVE and each.before not in ACTIVE:
            fired_at = fired_at or each.at
        if each.after == "inactive":
            resolved_at, ended_by = each.at, each.reason
    return msgspec.structs.replace(
        known,
        fired_at=fired_at,
        resolved_at=resolved_at,
        ended_by=ended_by,
        firings=firings,
        acked_at=next((each.at for each in remarks if each.kind == "ack"), 0),
        is_handled=any(each.kind in _DEEDS for each in remarks),
        label=label_of(remarks),
        merged_into=merged_into_of(remarks),
    )


def label_of(remarks: Sequence[Remark]) -> Label:
    """What was said of it last, useful or noise; empty where that was taken back, or never said."""
    said = [each.text for each in remarks if each.kind == LABELLED]
    return next((label for label in LABELS if said and said[-1] == label), "")


def merged_into_of(remarks: Iterable[Remark]) -> str:
    """The incident it was merged into last, unless it was split off since."""
    said = [each for each in remarks if each.kind in {"merged", "split"}]
    return said[-1].text if said and said[-1].kind == "merged" else ""


def person_of(remarks: Iterable[Remark], at: int) -> str:
    """Who had an incident at a moment; where nobody had, who took it on first, if anybody did."""
    taken = [
        (each.at, each.text if each.kind == "assign" else each.by)
        for each in remarks
        if each.kind in {"assign", "ack"}
    ]
    until_then = [person for moment, person in taken if moment <= at]
    later = [person for moment, person in taken if moment > at and person]
    return until_then[-1] if until_then else (later or [""])[0]
