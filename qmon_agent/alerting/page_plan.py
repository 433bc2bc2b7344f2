"""The `[status_page]` section as a page, and everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from qmon_agent.domain.alarms.components import USUAL_STATES, Component, Page
from qmon_agent.domain.alarms.interval_text import parse_zone
from qmon_agent.domain.alarms.matcher_text import parse_matchers
from qmon_agent.domain.alarms.matchers import Matchers
from qmon_agent.domain.catalog import SEVERITIES
from qmon_agent.domain.errors import ConfigError, nearest_to, raise_all
from qmon_agent.settings.status_page import ComponentOptions, StatusPageOptions

_HERE = "status_page"


def make_page(
    options: StatusPageOptions, *, alerts: Collection[str], windows: Collection[str]
) -> Page | None:
    """The page that is described, if one is; raises all that is wrong with it as ConfigErrors.

    `alerts` and `windows` are the names that are known.
    """
    if not options.is_said:
        return None
    problems = [*_problems(options)]
    made = []
    for number, each in enumerate(options.components):
        path = f"{_HERE}.components[{number}]"
        problems += _strangers(f"{path}.alerts", each.alerts, known=alerts, what="alert")
        problems += _strangers(
            f"{path}.maintenance", each.maintenance, known=windows, what="maintenance window"
        )
        try:
            made.append(_component(each))
        except ConfigError as problem:
            problems.append(ConfigError(f"{path}.{problem.path}", problem.reason, problem.nearest))
    raise_all(problems)
    return Page(
        title=options.title or "Status",
        url=options.url,
        is_public=options.public,
        zone=options.zone,
        states={**USUAL_STATES, **options.states},
        components=made,
    )


def _problems(options: StatusPageOptions) -> Iterator[ConfigError]:
    if not options.components:
        yield ConfigError(f"{_HERE}.components", "there has to be one, or there is nothing to show")
    try:
        parse_zone(options.zone)
    except ConfigError as problem:
        yield ConfigError(f"{_HERE}.zone", problem.reason, problem.nearest)
    yield from _unknown_severities(options.states)
    names = [each.name for each in options.components]
    for number, name in enumerate(names):
        if not name.strip():
            yield ConfigError(f"{_HERE}.components[{number}].name", "it needs a name")
        elif name in names[:number]:
            reason = f"there is a component {name!r} already"
            yield ConfigError(f"{_HERE}.components[{number}].name", reason)


def _unknown_severities(states: Mapping[str, object]) -> Iterator[ConfigError]:
    for severity in states:
        if severity not in SEVERITIES:
            near = nearest_to(severity, SEVERITIES) or SEVERITIES
            yield ConfigError(f"{_HERE}.states.{severity}", f"no severity {severity!r}", near)


def _strangers(
    path: str, names: Collection[str], *, known: Collection[str], what: str
) -> Iterator[ConfigError]:
    for number, name in enumerate(names):
        if name not in known:
            yield ConfigError(f"{path}[{number}]", f"no {what} {name!r}", nearest_to(name, known))


def _component(options: ComponentOptions) -> Component:
    if not options.alerts and not options.match:
        raise ConfigError("alerts", "which alerts it has is to be said, by `alerts` or by `match`")
    matchers: Matchers = ()
    for number, text in enumerate(options.match):
        try:
            matchers += parse_matchers(text)
        except ConfigError as problem:
            raise ConfigError(f"match[{number}]", problem.reason, problem.nearest) from None
    if options.match and not any(each.names_something for each in matchers):
        raise ConfigError("match", "one of them must not fit an alert without labels")
    return Component(
        name=options.name,
        description=options.description,
        alerts=frozenset(options.alerts),
        matchers=matchers,
        windows=frozenset(options.maintenance),
    )
