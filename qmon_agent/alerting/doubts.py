"""What a configuration says of alerts that can be done, and hardly anybody means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from qmon_agent.domain.alarms.matcher_text import parse_matchers
from qmon_agent.domain.alarms.matchers import Matcher
from qmon_agent.domain.catalog import SEVERITIES
from qmon_agent.domain.durations import parse_duration, print_duration
from qmon_agent.domain.errors import ConfigError, InvalidThresholdError, hint, nearest_to
from qmon_agent.domain.thresholds import Threshold, parse_threshold
from qmon_agent.settings import AlertOptions, Settings
from qmon_agent.settings.routing import RouteOptions, RoutingOptions

from .reach import reached
from .usual import usual_of

NAME = "alertname"
_SHARES = ("ratio", "crashed_sessions")
"""Rules that compare a share, of which a hundred percent is 1."""


def doubts_of_alerts(settings: Settings) -> Iterator[str]:
    """Each begins with its place; of settings in which nothing is wrong."""
    yield from _large_shares(settings)
    yield from _said_twice(settings)
    names = names_of(settings)
    for path, texts in _matchers_in(settings):
        matchers = [*_read(texts)]
        for reason in (*strangers_in(matchers, names), *strange_severities(matchers)):
            yield f"{path}: {reason}"
    yield from _idle_inhibition(settings)
    yield from _shadowed(settings.routing, "routing")
    if settings.routing.is_said:
        yield from _unreached(settings)


def names_of(settings: Settings) -> list[str]:
    """The names of all alerts there are."""
    return [each.name for each in (*settings.alerts, *usual_of(settings))]


def strangers_in(matchers: Iterable[Matcher], names: Sequence[str]) -> Iterator[str]:
    """What is to be said of matchers on the names of alerts, where there are no such alerts."""
    for each in matchers:
        if each.name != NAME or each.operator == "!~" or not each.value:
            continue
        if each.operator == "=~":
            if not any(each.holds({NAME: name}) for name in names):
                yield f"no alert has a name that fits {each.value!r}"
        elif each.value not in names:
            yield f"there is no alert {each.value!r}{hint(nearest_to(each.value, names))}"


def strange_severities(matchers: Iterable[Matcher]) -> Iterator[str]:
    """Alerts from elsewhere may have others; one that looks like one of ours is meant to be it."""
    for each in matchers:
        said = each.value.split("|") if each.operator == "=~" else [each.value]
        for word in said if each.name == "severity" and each.operator != "!~" else ():
            if word not in SEVERITIES and (nearest := nearest_to(word, SEVERITIES)):
                yield f"no alert of ours has the severity {word!r}{hint(nearest)}"


def _said_twice(settings: Settings) -> Iterator[str]:
    """How long it has to hold, by the line and beside it."""
    for alert, line in _lines(settings):
        for option, by_line, beside in (
            ("for", line.for_ns, alert.for_),
            ("keep_firing_for", line.keep_firing_ns, alert.keep_firing_for),
        ):
            if by_line and beside and parse_duration(beside) != by_line:
                said = print_duration(by_line)
                yield f"alerts.{alert.name}.{option}: the threshold says {said}; {beside} holds"


def _idle_inhibition(settings: Settings) -> Iterator[str]:
    for number, rule in enumerate(settings.routing.inhibit_rules):
        if [*_read(rule.source_matchers)] == [*_read(rule.target_matchers)]:
            path = f"routing.inhibit_rules[{number}]"
            yield f"{path}: its sources are its targets, and such do not mute each other"


def _large_shares(settings: Settings) -> Iterator[str]:
    for alert, line in _lines(settings):
        if alert.rule in _SHARES and line.bound > 1:
            meant = f"{line.operator} {line.bound / 100:g}"
            said = f"a share is from 0 to 1, not in percent; did you mean {meant!r}?"
            yield f"alerts.{alert.name}.threshold: {said}"


def _lines(settings: Settings) -> Iterator[tuple[AlertOptions, Threshold]]:
    """Each alert with its line, where that can be read; where not, it is told elsewhere."""
    for alert in settings.alerts:
        try:
            yield alert, parse_threshold(alert.threshold)
        except InvalidThresholdError:
            continue


def _matchers_in(settings: Settings) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every place that has matchers, and these."""
    yield from _in_routes(settings.routing, "routing")
    for number, rule in enumerate(settings.routing.inhibit_rules):
        yield f"routing.inhibit_rules[{number}].source_matchers", rule.source_matchers
        yield f"routing.inhibit_rules[{number}].target_matchers", rule.target_matchers
    for each in settings.maintenance:
        yield f"maintenance.{each.name}.matchers", each.matchers


def _in_routes(route: RouteOptions, path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield f"{path}.matchers", route.matchers
    for number, branch in enumerate(route.routes):
        yield from _in_routes(branch, f"{path}.routes[{number}]")


def _read(texts: Iterable[str]) -> Iterator[Matcher]:
    for text in texts:
        try:
            yield from parse_matchers(text)
        except ConfigError:  # told where it is read for use
            continue


def _shadowed(route: RouteOptions, path: str) -> Iterator[str]:
    """Branches that take everything, before others that are then never asked."""
    for number, branch in enumerate(route.routes):
        inside = f"{path}.routes[{number}]"
        behind = len(route.routes) - number - 1
        if behind and not branch.continue_ and _takes_all(branch):
            last = f"routes[{number + 1}]" if behind == 1 else f"the {behind} routes behind it"
            yield (
                f"{inside}: it takes everything, so that nothing gets to {last}; "
                "put it last, or say `continue = true`"
            )
        yield from _shadowed(branch, inside)


def _takes_all(branch: RouteOptions) -> bool:
    return all(each.operator == "=~" and each.value == ".*" for each in _read(branch.matchers))


def _unreached(settings: Settings) -> Iterator[str]:
    """What is described for the tree, and is on no way from its root."""
    found = reached(settings)
    routing, duty = settings.routing, settings.oncall
    for said, known, used, reason in (
        ("routing.receivers", routing.receivers, found.receivers, "no route leads to it"),
        ("oncall.schedules", duty.schedules, found.schedules, "no receiver that is used names it"),
        ("channels", settings.channels, found.channels, "no route, alert or schedule leads to it"),
        ("routing.time_intervals", routing.time_intervals, _intervals(settings), "nobody uses it"),
    ):
        for name in known:
            if name not in used:
                yield f"{said}.{name}: {reason}"


def _intervals(settings: Settings) -> set[str]:
    layers = (layer for each in settings.oncall.schedules.values() for layer in each.layers)
    return _timed(settings.routing) | {name for layer in layers for name in layer.only}


def _timed(route: RouteOptions | RoutingOptions) -> set[str]:
    inside = set[str]().union(*map(_timed, route.routes))
    return {*route.mute_time_intervals, *route.active_time_intervals} | inside
