"""The incidents a link is about: how they stand, what was done by it, and doing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec

from qmon_agent.alerting.care import Deed
from qmon_agent.app.judged import Judged
from qmon_agent.domain.alarms.handling import UNHANDLED, Handling
from qmon_agent.domain.alarms.matchers import Matcher
from qmon_agent.domain.alarms.silences import Silence
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.errors import QueryError
from qmon_agent.domain.incidents import ACTIVE
from qmon_agent.domain.links import Grant
from qmon_agent.domain.notices import Notice
from qmon_agent.http.link_desk import IncidentView
from qmon_agent.notify.message import MAX_MEMBERS, Address, clean, compose, moment
from qmon_agent.store.state import StateStore

_MOST_LINES = 100


def newest_notice(state: StateStore, grant: Grant) -> Notice | None:
    """What was last written to whom the link was sent to; of the incident, or of its group."""
    channel = grant.channel.partition(":")[2]
    for message in reversed(state.outbox.about(grant.incident)):
        if message.channel == channel:
            notice = msgspec.json.decode(message.notice, type=Notice)
            if (notice.incident, notice.group) == (grant.incident, grant.group):
                return notice
    return None


class Scene:
    """What a link is about, at one moment. Called from a thread."""

    def __init__(self, judged: Judged, grant: Grant, *, now: int) -> None:
        self._judged = judged
        self._grant = grant
        self._now = now
        self._notice = newest_notice(judged.state, grant)

    @property
    def title(self) -> str:
        return self._message.title if self._message else f"incident {clean(self._grant.incident)}"

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What the last message said."""
        lines = self._message.text.splitlines() if self._message else []
        return tuple(_fact(line) for line in lines[:_MOST_LINES])

    @cached_property
    def firing(self) -> dict[str, Notice]:
        """Of the incidents that people were told of, those that fire now."""
        told = self._notice.members or (self._notice,) if self._notice else ()
        state = self._judged.state.incidents
        found = {each.incident: state.one(each.incident) for each in told}
        is_active = {name for name, one in found.items() if one and one.state in ACTIVE}
        return {each.incident: each for each in told if each.incident in is_active}

    def done(self, mute: Mapping[str, Any]) -> str:
        """What has been done already, by this link or otherwise; empty if there is something."""
        return self._muted(mute) if mute else self._taken_on()

    def do(self, mute: Mapping[str, Any]) -> list[str]:
        """Do it for each that fires; answers what could not be done."""
        troubles = []
        made = self._made(mute) if mute else {}
        for name, notice in self.firing.items():
            try:
                if mute and name not in made:
                    self._mute(notice, mute)
                elif not mute and not self._handling(name).is_acked(self._now):
                    self._judged.alerting.care.do(name, Deed(kind="ack", by=self._by))
            except QueryError as problem:
                # It ended meanwhile.
                troubles.append(str(problem))
        return troubles

    @property
    def _by(self) -> str:
        return f"link sent to {self._grant.channel}"

    @cached_property
    def _message(self) -> Any:
        return self._notice and compose(self._notice, Address(key="", channel=""))

    def _handling(self, name: str) -> Handling:
        return self._judged.state.handlings.of([name]).get(name, UNHANDLED)

    def _taken_on(self) -> str:
        held = [self._handling(name) for name in self.firing]
        if not held or not all(each.is_acked(self._now) for each in held):
            return ""
        who = held[-1].acked_by or "somebody"
        return f"Acknowledged by {clean(who)} at {moment(held[-1].acked_at)}."

    def _muted(self, mute: Mapping[str, Any]) -> str:
        made = self._made(mute)
        if not made or self.firing.keys() - made.keys():
            return ""
        last = max(made.values())
        if last <= self._now:
            return f"It was muted by this link until {moment(last)}; a link mutes once."
        return f"Muted until {moment(last)} by this link."

    def _made(self, mute: Mapping[str, Any]) -> dict[str, int]:
        """The incidents that this link has muted, and until when."""
        begins = f"{mute['name']}-"
        return {
            each.id.removeprefix(begins): each.ends_at
            for each in self._judged.alerting.muting.all()
            if each.id.startswith(begins)
        }

    def _mute(self, notice: Notice, mute: Mapping[str, Any]) -> None:
        """This incident, and nothing else that its alert says."""
        until = self._now + mute["for_s"] * SECOND
        labels = notice.matched_labels
        made = self._judged.alerting.muting.add(
            Silence(
                id=f"{mute['name']}-{notice.incident}",
                matchers=tuple(Matcher(name=name, value=labels[name]) for name in sorted(labels)),
                starts_at=self._now,
                ends_at=until,
                author=self._by,
                comment=f"incident {notice.incident}",
            )
        )
        text = f"muted until {moment(until)}, silence {made.id}"
        self._judged.alerting.care.do(notice.incident, Deed(kind="comment", by=self._by, text=text))


def view_of_incident(told: Mapping[str, Any]) -> IncidentView:
    """The page of what `why` knows."""
    incident = told["incident"]
    handling = incident["handling"]
    names = ("since", "fired_at", "resolved_at")
    times = {name.removesuffix("_at"): moment(incident[name]) for name in names if incident[name]}
    facts = {
        "incident": incident["id"],
        "state": incident["state"],
        "severity": incident["severity"],
        **times,
        "labels": ", ".join(f"{name}={value}" for name, value in incident["labels"].items()),
        "acknowledged by": handling["acked_by"] if handling["acked_at"] else "",
        "assigned to": handling["assignee"],
        "muted by": ", ".join(told["muted_by"]),
    }
    return IncidentView(
        title=clean(incident["alert_name"] or incident["id"]),
        facts=tuple((name, clean(str(said))) for name, said in facts.items() if said),
        history=tuple(sorted(_history(incident)))[-_MOST_LINES:],
        why=tuple(clean(each) for each in told["answers"][: MAX_MEMBERS * 5]),
    )


def _history(incident: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for each in incident["transitions"]:
        change = f"{each['before']} to {each['after']}" if each["before"] != each["after"] else ""
        yield moment(each["at"]), clean(f"{change} ({each['reason']})".strip())
    for each in incident["remarks"]:
        by = f" by {each['author']}" if each["author"] else ""
        text = f": {each['text']}" if each["text"] else ""
        yield moment(each["at"]), clean(f"{each['kind']}{by}{text}")


def _fact(line: str) -> tuple[str, str]:
    name, colon, said = line.partition(": ")
    return (name, said) if colon and len(name) < MAX_MEMBERS else ("", line)
