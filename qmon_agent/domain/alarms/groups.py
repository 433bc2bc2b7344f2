"""Groups of alerts and when they are told: first, news, all over, or once more.

What Alertmanager does, as a function of values: a new group waits for others to join; from then
on it is looked at every so often; each look tells a channel what it has not heard, or repeats it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Literal

import msgspec
from msgspec.structs import replace

from .calling import Endpoint, Receivers
from .matchers import Labels
from .route_tree import Route, routes_for, walk

Reason = Literal["first", "new_alerts", "new_resolved", "all_resolved", "repeat"]
Key = tuple[str, tuple[tuple[str, str], ...]]
"""The route's name, and the labels of the group."""


class Alarm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One alert that fires, or that is over; times in nanoseconds UTC."""

    id: str
    labels: Labels = {}
    starts_at: int = 0
    resolved_at: int = 0
    """Zero: not yet."""

    @property
    def fires(self) -> bool:
        return not self.resolved_at


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel heard last of a group."""

    firing: frozenset[str] = frozenset()
    resolved: frozenset[str] = frozenset()
    at: int = 0
    hears_ends: bool = True
    called_at: int = 0
    """For when it was called last, of an escalation that is repeated."""


class Group(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Alerts that are told together."""

    alarms: Mapping[str, Alarm] = {}
    due_at: int = 0
    looks_at: int = 0
    """When it is looked at next; `due_at` may be earlier, for whoever is told later than others."""
    waits_since: int = 0
    """Since when nobody has taken on what fires, though it was told; zero: somebody has."""
    was_due: bool = False
    """Whether it was looked at before: nobody waits for others any more."""
    told: Mapping[str, Told] = {}
    messages: int = 0
    """How many there were of it, over all channels."""
    anchor: str = ""
    """The alert that was its first, also when it is over."""
    name: str = ""
    """Its own for its life: two routes may have groups with the same anchor."""


Groups = Mapping[Key, Group]


class GroupMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one channel about one group."""

    key: Key
    receiver: str
    channel: str
    reason: Reason
    alarms: tuple[Alarm, ...]
    anchor: str
    name: str
    """That of the group."""
    number: int
    """Which of the group's messages it is."""

    @property
    def status(self) -> Literal["firing", "resolved"]:
        """Firing as long as one of its alerts is."""
        return "firing" if any(each.fires for each in self.alarms) else "resolved"


class Quiet(msgspec.Struct, frozen=True, kw_only=True):
    """Who hears nothing now."""

    alarms: Collection[str] = ()
    """Alerts that are silenced or inhibited."""
    handled: Collection[str] = ()
    """Alerts that somebody looks after: what is known of them is not repeated."""
    routes: Collection[str] = ()
    """Routes that are muted, or not active, at this time."""


QUIET_ABOUT_NOTHING = Quiet()


def dispatch(
    groups: Groups,
    news: Iterable[Alarm],
    now: int,
    *,
    root: Route,
    receivers: Receivers,
    quiet: Quiet = QUIET_ABOUT_NOTHING,
) -> tuple[Groups, tuple[GroupMessage, ...]]:
    """The groups after some alerts have begun or ended and all that is due was told."""
    routes = {route.name: route for route in walk(root)}
    after: dict[Key, Group] = {}
    messages: list[GroupMessage] = []
    for key, group in join(groups, news, now, root=root).items():
        route = routes.get(key[0])
        if route is None or not _is_due(group, now, route):
            after[key] = group
            continue
        told, said = _look(key, group, now, route=route, receivers=receivers, quiet=quiet)
        messages += said
        if told.alarms:
            after[key] = told
    return after, tuple(messages)


def _is_due(group: Group, now: int, route: Route) -> bool:
    """Also where it would wait longer than it ever does: the clock has been set back."""
    longest = max(route.group_wait_ns, route.group_interval_ns)
    return group.due_at <= now or group.due_at - now > longest


def join(groups: Groups, news: Iterable[Alarm], now: int, *, root: Route) -> Groups:
    """The groups after some alerts have begun, changed or ended."""
    joined = dict(groups)
    # Copied once, however many come: a storm may put thousands into one group.
    members: dict[Key, dict[str, Alarm]] = {}
    for alarm in news:
        for key, route in _keys(alarm, root).items():
            group = joined.get(key)
            if group is None and not alarm.fires:
                continue
            if key not in members:
                members[key] = dict(group.alarms) if group else {}
                due_at = now + route.group_wait_ns
                new = Group(due_at=due_at, anchor=alarm.id, name=name_of(alarm.id, key))
                joined[key] = replace(group or new, alarms=members[key])
            joined[key] = _waited(joined[key], alarm, now, route=route)
            members[key][alarm.id] = alarm
    return joined


def regroup(groups: Groups, now: int, *, root: Route) -> Groups:
    """The groups under another tree: what was told of one that is there still is known there."""
    kept: dict[Key, Group] = {}
    alarms: dict[str, Alarm] = {}
    for key, group in groups.items():
        alarms.update(group.alarms)
        left = {each.id: each for each in group.alarms.values() if key in _keys(each, root)}
        if left:
            kept[key] = replace(group, alarms=left)
    return join(kept, [each for each in alarms.values() if each.fires], now, root=root)


def without(groups: Groups, alarm: str) -> Groups:
    """The groups as if there had never been this alert; nobody is told that it is over."""
    left = {
        key: _stripped(group, alarm) if alarm in group.alarms else group
        for key, group in groups.items()
    }
    return {key: group for key, group in left.items() if group.alarms}


def untold(groups: Groups, alarm: str) -> Groups:
    """The groups as if nobody had heard of this alert yet."""
    return {
        key: replace(_stripped(group, alarm), alarms=group.alarms)
        if alarm in group.alarms
        else group
        for key, group in groups.items()
    }


def hastened(groups: Groups, alarm: str) -> Groups:
    """The groups of which somebody has heard that this alert fires are looked at without delay."""
    return {
        key: replace(group, due_at=0, looks_at=0)
        if any(alarm in told.firing for told in group.told.values())
        else group
        for key, group in groups.items()
    }


def relabelled(groups: Groups, alarm: Alarm, *, root: Route) -> Groups:
    """After an alert has got other labels: it is news where it stays, and gone where it does not.

    What fires still and was told otherwise is worth saying again; it is not over, so nobody hears
    that.
    """
    if all(
        alarm.labels == g.alarms[alarm.id].labels for g in groups.values() if alarm.id in g.alarms
    ):
        return groups
    keys = _keys(alarm, root)
    left = {}
    for key, group in groups.items():
        stripped = _stripped(group, alarm.id) if alarm.id in group.alarms else group
        stays = key in keys and alarm.id in group.alarms
        left[key] = replace(stripped, alarms=group.alarms) if stays else stripped
    return {key: group for key, group in left.items() if group.alarms}


def _stripped(group: Group, alarm: str) -> Group:
    told = {
        channel: replace(each, firing=each.firing - {alarm}, resolved=each.resolved - {alarm})
        for channel, each in group.told.items()
    }
    alarms = {name: each for name, each in group.alarms.items() if name != alarm}
    return replace(group, alarms=alarms, told=told)


def name_of(anchor: str, key: Key) -> str:
    """What a group is called that one alert has begun, for its life."""
    return f"{anchor}-{digest(key)[:8]}"


def key_of(route: str, labels: Labels) -> Key:
    """The group of a route for what has these labels to be grouped by."""
    return route, tuple(sorted(labels.items()))


def digest(key: Key) -> str:
    """A route and the labels of a group in 32 letters and digits."""
    return sha256(msgspec.json.encode(key)).hexdigest()[:32]


def next_due(groups: Groups) -> int | None:
    """When `dispatch` has something to do, whether or not anything happens before."""
    return min((group.due_at for group in groups.values()), default=None)


def _keys(alarm: Alarm, root: Route) -> dict[Key, Route]:
    return {
        key_of(route.name, route.group_labels(alarm.labels)): route
        for route in routes_for(root, alarm.labels)
    }


def _waited(group: Group, alarm: Alarm, now: int, *, route: Route) -> Group:
    """Who has waited long enough elsewhere, as before a restart, waits no more."""
    waited = not group.was_due and alarm.starts_at + route.group_wait_ns < now
    return replace(group, due_at=now) if waited and now < group.due_at else group


def _look(
    key: Key, group: Group, now: int, *, route: Route, receivers: Receivers, quiet: Quiet
) -> tuple[Group, list[GroupMessage]]:
    """The group after its turn, and what was said."""
    is_look = group.looks_at <= now or group.looks_at - now > route.group_interval_ns
    looks_at = now + route.group_interval_ns if is_look else group.looks_at
    again = replace(group, due_at=looks_at, looks_at=looks_at, was_due=True)
    announced = frozenset[str]().union(*(told.firing for told in group.told.values()))
    if route.name in quiet.routes:
        # Who heard that it began hears that it is over, later.
        return replace(again, alarms=_left(group, announced), waits_since=0), []
    heard = [each for each in group.alarms.values() if _is_heard(each, quiet, announced)]
    again = _waiting(again, heard, now, quiet=quiet)
    endpoints = [*_called(again, receivers.get(route.receiver, ()), now, is_look=is_look)]
    told, messages = dict(group.told), []
    number = group.messages
    for endpoint in endpoints:
        before = told.get(endpoint.channel)
        reason = reason_to_tell(before, heard, now, route=route, endpoint=endpoint)
        reason = reason or ("repeat" if _is_called_again(again, endpoint, now) else None)
        if reason == "repeat" and all(each.id in quiet.handled for each in heard if each.fires):
            continue
        if reason is None or (endpoint.is_gone and reason != "all_resolved"):
            continue
        told[endpoint.channel] = _what_is_told(heard, now, endpoint, since=again.waits_since)
        alarms = tuple(each for each in heard if each.fires or endpoint.send_resolved)
        if alarms:
            number += 1
            messages.append(
                GroupMessage(
                    key=key,
                    receiver=route.receiver,
                    channel=endpoint.channel,
                    reason=reason,
                    alarms=alarms,
                    anchor=group.anchor,
                    name=group.name,
                    number=number,
                )
            )
    left = _left(group, frozenset()) if is_look else group.alarms
    after = replace(again, alarms=left, told=told, messages=number)
    return _until_next_call(after, receivers.get(route.receiver, ()), now), messages


def _waiting(group: Group, heard: Collection[Alarm], now: int, *, quiet: Quiet) -> Group:
    """Since when nobody has reacted: anew when somebody had, or nothing fires any more."""
    firing = [each.id for each in heard if each.fires]
    if not firing or all(name in quiet.handled for name in firing):
        return replace(group, waits_since=0)
    return group if group.waits_since else replace(group, waits_since=now)


def _called(
    group: Group, endpoints: Collection[Endpoint], now: int, *, is_look: bool
) -> Iterator[Endpoint]:
    """Who is told at this turn: at a look all whose time has come, between looks who is new."""
    for endpoint in endpoints:
        has_heard = endpoint.channel in group.told
        waited = bool(group.waits_since) and now - group.waits_since >= endpoint.after_ns
        if not endpoint.after_ns or has_heard:
            if is_look or _is_called_again(group, endpoint, now):
                yield endpoint
        elif waited:
            yield endpoint
    named = {endpoint.channel for endpoint in endpoints}
    for channel, told in group.told.items():
        if is_look and channel not in named and told.firing:
            # Whoever is not on call any more hears the end of what was told.
            yield Endpoint(channel=channel, send_resolved=told.hears_ends, is_gone=True)


def _is_called_again(group: Group, endpoint: Endpoint, now: int) -> bool:
    told = group.told.get(endpoint.channel)
    return told is not None and endpoint.last_call(group.waits_since, now) > told.called_at


def _until_next_call(group: Group, endpoints: Collection[Endpoint], now: int) -> Group:
    """Due when the next one is to be called, where that is before the next look."""
    if not group.waits_since:
        return group
    calls = [
        group.waits_since + endpoint.after_ns
        for endpoint in endpoints
        if endpoint.after_ns and endpoint.channel not in group.told
    ]
    rounds = (endpoint.next_call(group.waits_since, now) for endpoint in endpoints)
    calls += [at for at in rounds if at is not None]
    return replace(group, due_at=min([group.due_at, *(at for at in calls if at > now)]))


def reason_to_tell(
    before: Told | None, heard: Collection[Alarm], now: int, *, route: Route, endpoint: Endpoint
) -> Reason | None:
    """Why a channel is to hear of a group now; `None` when it is not."""
    firing = {each.id for each in heard if each.fires}
    resolved = {each.id for each in heard if not each.fires}
    if before is None or not firing <= before.firing:
        if not firing:
            return None
        return "new_alerts" if before is not None and before.firing else "first"
    if not firing:
        return "all_resolved" if before.firing and resolved else None
    if endpoint.send_resolved and not resolved <= before.resolved:
        return "new_resolved"
    return "repeat" if now - before.at >= route.repeat_interval_ns else None


def _is_heard(alarm: Alarm, quiet: Quiet, announced: frozenset[str]) -> bool:
    if alarm.id not in quiet.alarms:
        return True
    return not alarm.fires and alarm.id in announced


def _left(group: Group, announced: frozenset[str]) -> dict[str, Alarm]:
    """Those that are not over, and those whose end is still to be told."""
    return {each.id: each for each in group.alarms.values() if each.fires or each.id in announced}


def _what_is_told(heard: Collection[Alarm], now: int, endpoint: Endpoint, *, since: int) -> Told:
    return Told(
        firing=frozenset(each.id for each in heard if each.fires),
        resolved=frozenset(each.id for each in heard if not each.fires),
        at=now,
        hears_ends=endpoint.send_resolved,
        called_at=endpoint.last_call(since, now),
    )
