"""The `[[alerts]]` of the configuration, brought into the catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from qmon_agent.domain.catalog import SEVERITIES, Alert, Metric, MonitoringSystem
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.composing import circles, names_in, parse
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import (
    ConfigError,
    QmonError,
    UnknownPluginError,
    nearest_to,
    raise_all,
)
from qmon_agent.domain.plugins import options_of
from qmon_agent.settings import AlertOptions

from .rules import RULES, About
from .usual import USUALLY
from .watch import LIFE, Life, build_rule, policy_of

CREATED_BY = "config"
OURS = {CREATED_BY, USUALLY}


class Catalog(Protocol):
    """What declaring needs of the catalog."""

    def add_system(self, name: str, *, created_by: str = "") -> MonitoringSystem: ...
    def add_metric(self, metric: Metric) -> Metric: ...
    def put_alerts(self, alerts: Iterable[Alert]) -> None: ...
    def alerts(self) -> list[Alert]: ...
    def set_alert_status(self, names: Sequence[str], status: str) -> None: ...


def check_alerts_of(options: Sequence[AlertOptions], usual: Sequence[AlertOptions] = ()) -> None:
    """Raise what is wrong with tables that cannot work; touches nothing.

    `usual` are those that are there as well, and may be spoken of.
    """
    names = [each.name for each in (*options, *usual)]
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    reason = "there is more than one alert of this name"
    problems: list[QmonError] = [ConfigError(f"alerts.{name}", reason) for name in twice]
    for each in options:
        problems += _problems_of(each, names)
    raise_all(problems)


def _problems_of(options: AlertOptions, names: Sequence[str]) -> Iterator[QmonError]:
    where = f"alerts.{options.name}"
    if options.severity and options.severity not in SEVERITIES:
        known = nearest_to(options.severity, SEVERITIES) or SEVERITIES
        yield ConfigError(f"{where}.severity", f"no severity {options.severity!r}", known)
    try:
        alert = _alert(options)
        rule = build_rule(alert, system=options.system, metric=options.metric)
        about = rule.about()
        policy_of(alert, about.policy)
        yield from _strangers(about, names, where)
    except UnknownPluginError as problem:
        problem.path = f"{where}.rule"
        yield problem
    except ConfigError as problem:
        yield problem


def _strangers(about: About, names: Sequence[str], where: str) -> Iterator[ConfigError]:
    for name in about.alerts:
        if name not in names:
            yield ConfigError(where, f"there is no alert {name!r}", nearest_to(name, names))


def check_circles(options: Sequence[AlertOptions]) -> Iterator[ConfigError]:
    """Alerts that are about themselves, straight away or by way of others; once for each circle."""
    for circle in circles({each.name: _followed_by(each) for each in options}):
        way = " -> ".join(map(repr, circle))
        yield ConfigError(f"alerts.{circle[0]}.expression", f"the alert is about itself: {way}")


def statement_of(options: AlertOptions) -> str | None:
    """What it asks the store, where it does; nothing where the alert itself is wrong."""
    if options.rule != "sql":
        return None
    sql = options.options.get("query")
    return sql if isinstance(sql, str) and sql.strip() else None


def _followed_by(options: AlertOptions) -> tuple[str, ...]:
    if options.rule != "composite":
        return ()
    try:
        return tuple(names_in(parse(str(options.options.get("expression", "")))))
    except ConfigError:  # told by the rule itself
        return ()


def declare(
    catalog: Catalog, options: Sequence[AlertOptions], usual: Sequence[AlertOptions] = ()
) -> None:
    """Add or change the declared alerts, and switch those off that are declared no more.

    `usual` are the agent's own, which leave alone what somebody else has called by their names.
    """
    check_alerts_of(options, usual)
    catalog.put_alerts([_alert(each, metric=_metric(catalog, each)) for each in options])
    declared = {each.name for each in options}
    before = catalog.alerts()
    taken = declared | {each.name for each in before if each.created_by not in OURS}
    # A metric that only we ask for is none of the catalog's until somebody sends it.
    own = [
        msgspec.structs.replace(_alert(each), created_by=USUALLY)
        for each in usual
        if each.name not in taken
    ]
    catalog.put_alerts(own)
    declared |= {each.name for each in own}
    gone = [each.name for each in before if each.created_by in OURS and each.name not in declared]
    catalog.set_alert_status(gone, "inactive")


def _metric(catalog: Catalog, options: AlertOptions) -> int | None:
    if not (options.system and options.metric):
        return None
    system = catalog.add_system(options.system, created_by=CREATED_BY)
    return catalog.add_metric(Metric(name=options.metric, monitoring_system=system.id)).id


def _alert(options: AlertOptions, metric: int | None = None) -> Alert:
    # Without a system the catalog has no metric to point at: the rule keeps what was said.
    said = {"system": options.system, "metric": options.metric}
    kept = {name: value for name, value in said.items() if value and metric is None}
    return Alert(
        name=options.name,
        description=options.description,
        metric=metric,
        threshold=str(options.threshold),
        severity=options.severity or "warning",
        channels=options.channels,
        rule=options.rule,
        for_s=_seconds(options, options.for_, key="for"),
        keep_firing_for_s=_seconds(options, options.keep_firing_for, key="keep_firing_for"),
        options=kept | _ruled(options) | options.options | _life(options),
        created_by=CREATED_BY,
    )


def _ruled(options: AlertOptions) -> dict[str, Any]:
    """A severity that is said is that of every incident, whatever the rule is told."""
    knows = "severities" in options_of(RULES.find(options.rule))
    return {"severities": {}} if options.severity and knows else {}


def _life(options: AlertOptions) -> dict[str, Any]:
    said = Life(
        on_unknown=options.on_unknown,
        unknown_for=options.unknown_for,
        votes=options.votes,
        may_miss=options.may_miss,
        priority=options.priority,
        flapping_window=options.flapping_window,
        flapping_high=options.flapping_high,
        flapping_low=options.flapping_low,
    )
    return {LIFE: msgspec.to_builtins(said)} if said != Life() else {}


def _seconds(options: AlertOptions, text: str | float, *, key: str) -> float:
    try:
        return parse_duration(text) / SECOND
    except ValueError as error:
        raise ConfigError(f"alerts.{options.name}.{key}", str(error)) from None
