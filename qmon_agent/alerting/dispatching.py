"""The dispatcher: who hears of what by the routing tree, written down with the rest of a step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

import msgspec
from msgspec.structs import replace

from qmon_agent.domain.alarms.groups import (
    Alarm,
    Group,
    GroupMessage,
    Groups,
    Key,
    Quiet,
    digest,
    dispatch,
    hastened,
    join,
    next_due,
    regroup,
    relabelled,
    untold,
    without,
)
from qmon_agent.domain.alarms.intervals import closed_by
from qmon_agent.domain.alarms.matchers import Labels
from qmon_agent.domain.alarms.route_tree import walk
from qmon_agent.domain.notices import Notice
from qmon_agent.store.state.ledger import Entry, GroupRecord, MemberRecord, Posting

from .letters import acknowledgement, letter
from .papers import AT_ONCE, KEEP_TRYING_NS
from .routing_plan import Plan

Saved = tuple[list[GroupRecord], list[MemberRecord]]
Mutes = Callable[[Plan, Iterable[Alarm], int], Collection[str]]
"""Of some alarms, at a moment, the names of those that nobody is to hear of."""
Handled = Callable[[str, int], bool]
"""Whether somebody looks after an incident, at a moment."""


class _Kept(msgspec.Struct, frozen=True):
    """A group as it is on the disk, its members apart."""

    key: Key
    group: Group


class Dispatcher:
    """Groups of what fires; called by one at a time, and nothing is sent from here."""

    def __init__(self, saved: Saved, *, is_handled: Handled) -> None:
        self._plan: Plan | None = None
        self._groups, self._notices = _restored(saved)
        self._heard: dict[str, Labels] = {
            name: alarm.labels
            for group in self._groups.values()
            for name, alarm in group.alarms.items()
        }
        self._acknowledged: list[Notice] = []
        self._is_handled = is_handled
        self._written: Groups = self._groups
        self._news: list[Alarm] = []
        self._due: int | None = 0
        self._turned_at = 0

    @property
    def plan(self) -> Plan | None:
        return self._plan

    def follow(self, plan: Plan | None, now: int) -> None:
        """Go by this plan from now on; without one, nothing is told from here."""
        self._plan = plan
        self._news, self._due = [], 0
        self._groups = regroup(self._groups, now, root=plan.root) if plan else {}

    def hear(self, notice: Notice) -> None:
        """An incident has begun or ended, and is told by the tree."""
        labels: Labels = notice.matched_labels
        if notice.resolved_at:
            # As bad as it was when it was heard of: those who were told hear that it is over.
            labels = self._heard.get(notice.incident, labels)
        alarm = Alarm(
            id=notice.incident,
            labels=labels,
            starts_at=notice.fired_at,
            resolved_at=notice.resolved_at,
        )
        is_other = self.knows(alarm.id) and self._heard.get(alarm.id) != alarm.labels
        if self._plan is not None and is_other:
            self._groups = relabelled(self._groups, alarm, root=self._plan.root)
        self._notices[alarm.id], self._heard[alarm.id] = notice, alarm.labels
        self._news.append(alarm)

    def acknowledge(self, notice: Notice) -> None:
        """Somebody has taken it on: who was told of its group hears when that holds for all."""
        self._acknowledged.append(notice)

    def renew(self, incident: str) -> None:
        """It is worth telling again, to everybody."""
        self._groups = untold(self._groups, incident)

    def hasten(self, incident: str) -> None:
        """Whoever was told of it hears at once how it stands, while the tree is as it was."""
        self._groups = hastened(self._groups, incident)

    def knows(self, incident: str) -> bool:
        """Whether it is in a group, or on the way into one."""
        return incident in self._notices

    def groups_with(self, incident: str) -> list[tuple[Key, Group]]:
        """The groups it is in."""
        return [(key, group) for key, group in self._groups.items() if incident in group.alarms]

    def forget(self, incident: str) -> None:
        """It has ended, and nobody is to hear of that."""
        if self.knows(incident):
            self._news = [each for each in self._news if each.id != incident]
            self._groups = without(self._groups, incident)

    def turn(self, entry: Entry, now: int, mutes: Mutes) -> None:
        """Add to the entry what is to be told now, and how the groups stand after it."""
        waits = self._due is None or now < self._due
        news = self._news or self._acknowledged
        if not news and self._groups is self._written and waits and now >= self._turned_at:
            return
        if self._plan is not None:
            for message in self._dispatched(self._plan, now, mutes):
                entry.postings.append(self._posting(message, now))
            entry.postings += self._acknowledgements(self._plan, now, mutes)
        self._due, self._turned_at = next_due(self._groups), now
        self._write_up(entry)

    def _dispatched(self, plan: Plan, now: int, mutes: Mutes) -> tuple[GroupMessage, ...]:
        joined = join(self._groups, self._news, now, root=plan.root)
        self._news = []
        concerned = [
            alarm
            for group in joined.values()
            if group.due_at <= now or now < self._turned_at
            for alarm in group.alarms.values()
        ]
        quiet = Quiet(
            handled=[alarm.id for alarm in concerned if self._is_handled(alarm.id, now)],
            alarms=mutes(plan, concerned, now),
            routes=[
                route.name
                for route in walk(plan.root)
                if closed_by(
                    plan.intervals, now, mute=route.mute_intervals, active=route.active_intervals
                )
            ],
        )
        self._groups, messages = dispatch(
            joined, (), now, root=plan.root, receivers=plan.receivers(now), quiet=quiet
        )
        return messages

    def _acknowledgements(self, plan: Plan, now: int, mutes: Mutes) -> Iterator[Posting]:
        acknowledged, self._acknowledged = self._acknowledged, []
        alarms = [
            Alarm(id=each.incident, labels=self._heard.get(each.incident, each.matched_labels))
            for each in acknowledged
        ]
        muted = mutes(plan, alarms, now)
        for notice in acknowledged:
            for key, group in self._groups.items():
                firing = tuple(each for each in group.alarms.values() if each.fires)
                taken_on = all(self._is_handled(each.id, now) for each in firing)
                is_held = notice.incident in muted or notice.incident not in group.alarms
                if is_held or not taken_on:
                    continue
                for message in acknowledgement(key, group, firing):
                    yield self._posting(message, now, said=notice)

    def _posting(self, message: GroupMessage, now: int, *, said: Notice | None = None) -> Posting:
        whole = letter(message, self._notices)
        if said is not None:
            whole = replace(whole, status=said.status, reason=said.reason, text=said.text)
        notice = msgspec.json.encode(whole).decode()
        # A group has one message to a channel at a moment; one that comes again has other moments.
        # An acknowledgement is one more, at the moment that a look may have, too.
        kind = "" if said is None else "a"
        name = f"{message.anchor}.{digest(message.key)[:6]}.{kind}{now // 1_000:x}"
        return Posting(
            key=f"{name}.{message.channel}",
            incident=message.anchor,
            channel=message.channel,
            notice=notice,
            created_at=now,
            due_at=AT_ONCE,
            deadline=now + KEEP_TRYING_NS,
        )

    def _write_up(self, entry: Entry) -> None:
        before, after = self._written, self._groups
        for key in {**before, **after}:
            old, new = before.get(key), after.get(key)
            if new is None:
                entry.end_group(digest(key))
            elif new is not old:
                self._write_group(entry, key, old, new=new)
        self._written = after
        if before is not after:
            alive = {name for group in after.values() for name in group.alarms}
            self._notices = {n: each for n, each in self._notices.items() if n in alive}
            self._heard = {n: each for n, each in self._heard.items() if n in alive}

    def _write_group(self, entry: Entry, key: Key, old: Group | None, *, new: Group) -> None:
        name, known = digest(key), old.alarms if old else {}
        kept = _Kept(key, replace(new, alarms={}))
        state = msgspec.json.encode(kept).decode()
        entry.keep_group(GroupRecord(id=name, anchor=new.anchor, state=state))
        for incident in known.keys() - new.alarms.keys():
            entry.drop_member(name, incident)
        for incident, alarm in new.alarms.items():
            if alarm is not known.get(incident):
                member = MemberRecord(
                    alarm_group=name,
                    incident=incident,
                    alarm=msgspec.json.encode(alarm).decode(),
                    notice=msgspec.json.encode(self._notices[incident]).decode(),
                )
                entry.keep_member(member)


def _restored(saved: Saved) -> tuple[Groups, dict[str, Notice]]:
    groups: dict[str, _Kept] = {
        each.id: msgspec.json.decode(each.state, type=_Kept) for each in saved[0]
    }
    alarms: dict[str, dict[str, Alarm]] = {name: {} for name in groups}
    notices: dict[str, Notice] = {}
    for member in saved[1]:
        alarm = msgspec.json.decode(member.alarm, type=Alarm)
        alarms[member.alarm_group][alarm.id] = alarm
        notices[alarm.id] = msgspec.json.decode(member.notice, type=Notice)
    whole = {kept.key: replace(kept.group, alarms=alarms[name]) for name, kept in groups.items()}
    return whole, notices
