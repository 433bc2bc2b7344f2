"""A dry run of the routing tree: which way an alert would take, and what would keep it back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qmon_agent.alerting.doubts import names_of, strange_severities, strangers_in
from qmon_agent.alerting.maintenance import Windows
from qmon_agent.alerting.routing_plan import Plan
from qmon_agent.domain.alarms.intervals import closed_by
from qmon_agent.domain.alarms.matcher_text import parse_matchers
from qmon_agent.domain.alarms.matchers import Matcher, all_hold, print_matchers
from qmon_agent.domain.alarms.route_tree import Route, asked, routes_for
from qmon_agent.domain.alarms.windows import Window
from qmon_agent.domain.durations import print_duration
from qmon_agent.settings import Settings


def dry_run(plan: Plan, labels: Mapping[str, str], now: int) -> dict[str, Any]:
    """The nodes that are asked, those that answer, and what would mute it."""
    answers = {route.name for route in routes_for(plan.root, labels)}
    return {
        "labels": dict(labels),
        "path": [
            {"route": route.name, "matches": matches, "answers": route.name in answers}
            for route, matches in asked(plan.root, labels)
        ],
        "routes": [
            _told(plan, route, now) | {"group": route.group_labels(labels)}
            for route in routes_for(plan.root, labels)
        ],
        "inhibited_while": [*_inhibited_while(plan, labels)],
    }


def own_channels(settings: Settings, labels: Mapping[str, str]) -> Iterator[str]:
    """The channels that the alert itself names, which then hear of it in place of the tree's."""
    for alert in settings.alerts:
        if alert.name == labels.get("alertname"):
            yield from alert.channels


def doubts_of(settings: Settings, labels: Mapping[str, str]) -> Iterator[str]:
    """What is said of labels that no alert has, and that look like others."""
    matchers = [Matcher(name=name, value=value) for name, value in labels.items()]
    yield from strangers_in(matchers, names_of(settings))
    yield from strange_severities(matchers)


def silenced_by(silences: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> list[str]:
    """Of silences as the API tells of them, the ids of those that mute it now."""
    return [
        str(each["id"])
        for each in silences
        if each["state"] == "active" and all_hold(parse_matchers(each["matchers"]), labels)
    ]


def under_work(windows: tuple[Window, ...], labels: Mapping[str, str], now: int) -> list[str]:
    """The names of the maintenance windows that mute it now, or would with it."""
    in_use = Windows()
    in_use.follow(windows)
    return [*in_use.muting(labels, now)]


def _told(plan: Plan, route: Route, now: int) -> dict[str, Any]:
    endpoints = plan.endpoints(route.receiver, now)
    return {
        "route": route.name,
        "receiver": route.receiver,
        "channels": [each.channel for each in endpoints if not each.after_ns],
        "escalates": [
            {"after": print_duration(each.after_ns), "channel": each.channel}
            for each in endpoints
            if each.after_ns
        ],
        "repeats": max((each.rounds for each in endpoints), default=0),
        "round": print_duration(max((each.round_ns for each in endpoints), default=0)),
        "group_wait": print_duration(route.group_wait_ns),
        "group_interval": print_duration(route.group_interval_ns),
        "repeat_interval": print_duration(route.repeat_interval_ns),
        "closed_by": [
            *closed_by(
                plan.intervals, now, mute=route.mute_intervals, active=route.active_intervals
            )
        ],
    }


def _inhibited_while(plan: Plan, labels: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for rule in plan.inhibit_rules:
        # What is a source as well is muted by nothing that is both.
        is_both = rule.source == rule.target
        if all_hold(rule.target, labels) and not is_both:
            equal = {name: labels.get(name, "") for name in rule.equal}
            yield {"fires": print_matchers(rule.source), "equal": equal}
