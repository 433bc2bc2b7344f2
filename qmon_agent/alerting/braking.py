"""The storm brake on what is about to be sent: messages are held as rows, and a channel is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from qmon_agent.domain.alarms.storms import CALM, Brake, Said, Storm, brake
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.incidents import is_worse
from qmon_agent.domain.notices import STORM, Notice
from qmon_agent.domain.steadiness import STEADY
from qmon_agent.settings.storm import StormOptions
from qmon_agent.store.state.ledger import HELD, Entry, Posting
from qmon_agent.vitals import Vitals

from .papers import AT_ONCE, KEEP_TRYING_NS, RENEWING

NOTE = "storms"
"""Under which name it is remembered how each channel stands."""
NO_BRAKE = Brake()
MOST_NAMED = 5
_GOES_ON = RENEWING | {STEADY, "new_alerts", "new_resolved", "repeat"}


class _Noted(msgspec.Struct, frozen=True, kw_only=True):
    """What a restart needs."""

    by: Brake = NO_BRAKE
    storms: Mapping[str, Storm] = {}


class _Heading(msgspec.Struct, frozen=True, kw_only=True):
    """As much of a notice as it is weighed by."""

    incident: str
    status: Literal["firing", "acknowledged", "resolved"]
    reason: str
    alert: str
    severity: str = "warning"
    group: str = ""
    members: tuple[msgspec.Raw, ...] = ()
    left_out: int = 0

    def said(self) -> Said:
        goes_on = self.reason in _GOES_ON or is_worse(self.reason)
        return Said(
            thread=self.group or self.incident,
            kind=self.alert,
            severity=self.severity,
            status=self.status,
            begins=self.status == "firing" and not goes_on,
            incidents=max(len(self.members) + self.left_out, 1),
        )


def make_brake(options: StormOptions) -> Brake:
    """The brake that the section describes; raises ConfigError."""
    try:
        within_ns = parse_duration(options.within)
    except ValueError as problem:
        raise ConfigError("storm.within", str(problem)) from None
    if within_ns <= 0:
        raise ConfigError("storm.within", "it must be longer than nothing")
    return Brake(most=options.messages, within_ns=within_ns)


class Braking:
    """One storm for each channel, written with the messages that it holds."""

    def __init__(self, noted: str, *, vitals: Vitals) -> None:
        """Go on from what was noted before a restart, by the same brake until another is set."""
        before = msgspec.json.decode(noted or b"{}", type=_Noted)
        self.by = before.by
        self._storms: Mapping[str, Storm] = before.storms
        self._vitals = vitals

    @property
    def storms(self) -> Mapping[str, Storm]:
        """The channels on which there is one now."""
        return {name: each for name, each in self._storms.items() if each.since}

    def turn(self, entry: Entry, now: int) -> None:
        """Hold what is too much of all that was added to the entry since the last turn."""
        added: dict[str, list[int]] = defaultdict(list)
        for n in range(entry.braked, len(entry.postings)):
            added[entry.postings[n].channel].append(n)
        if not added and not any(each.since for each in self._storms.values()):
            return
        before = self._storms
        after = {
            channel: self._braked(entry, channel, added.get(channel, []), now=now)
            for channel in {**before, **added}
        }
        entry.braked = len(entry.postings)
        self._storms = {name: each for name, each in after.items() if each != CALM}
        if before != self._storms:
            noted = _Noted(by=self.by, storms=self._storms)
            entry.notes[NOTE] = msgspec.json.encode(noted).decode()

    def _braked(self, entry: Entry, channel: str, numbers: list[int], *, now: int) -> Storm:
        known = self._storms.get(channel, CALM)
        if not numbers and not known.since:
            return known
        headings = [msgspec.json.decode(entry.postings[n].notice, type=_Heading) for n in numbers]
        done = brake(known, [each.said() for each in headings], now, by=self.by)
        for n in sorted(done.held):
            posting = entry.postings[numbers[n]]
            since = done.storm.since or known.since
            detail = f"{STORM}:{since}" if since else f"{STORM}:unheard"
            entry.postings[numbers[n]] = replace(posting, status=HELD, detail=detail)
            self._vitals.add("alert_messages_held", reason=STORM)
        if done.ended is not None:
            entry.postings.append(_posting(channel, known, _end(done.ended, now), at=now))
        if done.announced:
            # Of a message, the row has to name an incident; a group's is that of its first.
            anchor = entry.postings[numbers[min(done.held)]].incident
            done = replace(done, storm=replace(done.storm, anchor=anchor))
            entry.postings.append(_posting(channel, done.storm, _outbreak(done.storm, self.by)))
        return done.storm


def _outbreak(storm: Storm, by: Brake) -> Notice:
    text = (
        f"more than {by.most} messages within {by.within_ns // SECOND} s: "
        f"{_counted(storm)}, and all that begins is held until it is calmer, but what is critical; "
        "`qmon-agent incidents` lists all"
    )
    return _notice(storm, "firing", text=text)


def _end(storm: Storm, now: int) -> Notice:
    firing = storm.firing
    still = f"{firing} of them fire still" if firing else "all of it is over"
    text = f"the storm is over: {_counted(storm)}; {still}; `qmon-agent incidents` lists all"
    return replace(_notice(storm, "resolved", text=text), resolved_at=now)


def _counted(storm: Storm) -> str:
    largest = storm.largest
    more = len(largest) - MOST_NAMED
    named = ", ".join(f"{count} of {name!r}" for name, count in largest[:MOST_NAMED])
    return f"{storm.count} held ({named}{f', and of {more} others' if more > 0 else ''})"


def _notice(storm: Storm, status: Literal["firing", "resolved"], *, text: str) -> Notice:
    return Notice(
        incident=storm.anchor,
        status=status,
        reason=STORM if status == "firing" else f"{STORM}:over",
        alert="storm of alerts",
        severity=storm.severity,
        rule=STORM,
        text=text,
        since=storm.since,
        fired_at=storm.since,
        group=f"{STORM}-{storm.since:x}",
    )


def _posting(channel: str, storm: Storm, notice: Notice, *, at: int = 0) -> Posting:
    at = at or storm.since
    end = "e" if notice.status == "resolved" else ""
    return Posting(
        key=f"{storm.anchor}.s{end}{storm.since // 1_000:x}.{channel}",
        incident=storm.anchor,
        channel=channel,
        notice=msgspec.json.encode(notice).decode(),
        created_at=at,
        due_at=AT_ONCE,
        deadline=at + KEEP_TRYING_NS,
    )


def described(storms: Mapping[str, Storm]) -> Iterable[tuple[str, dict[str, object]]]:
    """Channel → since when and how much, for whoever asks."""
    for name, storm in storms.items():
        yield (
            name,
            {
                "since": storm.since,
                "held": storm.count,
                "firing": storm.firing,
                "largest": dict(storm.largest[:MOST_NAMED]),
            },
        )
