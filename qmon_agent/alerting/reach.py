"""Who can ever be told: what is on a way from the root of the routing tree, or from an alert."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from qmon_agent.settings import Settings
from qmon_agent.settings.oncall import OncallOptions
from qmon_agent.settings.routing import EscalationOptions, ReceiverOptions, RouteOptions


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """Names of what is used, of each kind."""

    receivers: frozenset[str]
    schedules: frozenset[str]
    channels: frozenset[str]


def reached(settings: Settings) -> Reached:
    """By the tree, by alerts that name their channels, and by whoever is on call."""
    routing = settings.routing
    receivers = frozenset(_receivers(routing))
    steps = [*_steps(routing.receivers[name] for name in receivers if name in routing.receivers)]
    schedules = frozenset(name for step in steps for name in step.oncall)
    channels = {name for step in steps for name in step.channels}
    # Where no receiver has the name, it is a channel's.
    channels |= receivers - routing.receivers.keys()
    channels |= {name for alert in settings.alerts for name in alert.channels}
    channels |= {*settings.defaults.channels, *_of_people(settings.oncall, schedules)}
    return Reached(receivers=receivers, schedules=schedules, channels=frozenset(channels))


def _receivers(route: RouteOptions) -> Iterator[str]:
    if route.receiver:
        yield route.receiver
    for branch in route.routes:
        yield from _receivers(branch)


def _steps(receivers: Iterable[ReceiverOptions]) -> Iterator[ReceiverOptions | EscalationOptions]:
    for each in receivers:
        yield each
        yield from each.escalate


def _of_people(duty: OncallOptions, schedules: Iterable[str]) -> Iterator[str]:
    for name in schedules:
        if (schedule := duty.schedules.get(name)) is None:
            continue
        turns = {person for layer in schedule.layers for person in layer.people}
        for person in turns | {each.person for each in schedule.overrides}:
            yield from duty.people.get(person, ())
