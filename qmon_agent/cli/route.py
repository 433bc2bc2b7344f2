"""`qmon-agent route`: who would hear of an alert with these labels, and what would prevent it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from qmon_agent.cli._control import UnreachableError, find_control
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json
from qmon_agent.domain.clock import SystemClock
from qmon_agent.domain.errors import ConfigError


@click.command
@click.argument("labels", nargs=-1, metavar="LABEL=VALUE...")
@with_place
def command(*, labels: tuple[str, ...], place: Place) -> int:
    """Show the way of an alert through `[routing]`: routes, receivers, times, and what mutes it.

    `alertname`, `severity` and `service` are labels too. The configuration is read from the file,
    silences are those of the running agent. Exit code 1: nobody would hear of it now.
    """
    # Building the plug-ins is the check of their sections.
    from qmon_agent.app.checking import load_plugins
    from qmon_agent.app.dry_run import doubts_of, dry_run, own_channels, silenced_by, under_work

    settings, plugins = load_plugins(place.locations.config)
    if plugins.routing is None:
        raise ConfigError("routing", "there is none: every channel is told of everything")
    wanted = dict(map(_pair, labels))
    now = SystemClock().now()
    told = dry_run(plugins.routing, wanted, now)
    told["own_channels"] = [*own_channels(settings, wanted)]
    told["warnings"] = [*doubts_of(settings, wanted)]
    told["maintenance"] = under_work(plugins.windows, wanted, now)
    silences = _silences(place)
    told["silenced_by"] = None if silences is None else silenced_by(silences, wanted)
    if place.json:
        show_json({"version": 1, **told})
    else:
        for doubt in told["warnings"]:
            click.echo(f"warning: {doubt}", err=True)
        for line in _lines(told):
            click.echo(line)
    return int(not _is_heard(told))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ConfigError("LABEL=VALUE", f"{text!r} is no label with a value")
    return name, value


def _silences(place: Place) -> Sequence[Mapping[str, Any]] | None:
    try:
        found: Sequence[Mapping[str, Any]]
        found = find_control(place.locations).get("/api/silences")["silences"]
    except UnreachableError:
        return None
    return found


def _is_heard(told: Mapping[str, Any]) -> bool:
    is_open = any(each["channels"] and not each["closed_by"] for each in told["routes"])
    return (
        (is_open or bool(told["own_channels"]))
        and not told["silenced_by"]
        and not told["maintenance"]
    )


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    if told["own_channels"]:
        yield f"{', '.join(told['own_channels'])}: its own `channels`, so that no route is asked"
    else:
        yield from _of_tree(told)
    for rule in told["inhibited_while"]:
        equal = "".join(f", {name}={value!r}" for name, value in rule["equal"].items())
        yield f"muted while {rule['fires']} fires{equal}"
    if told["maintenance"]:
        yield f"maintenance: {', '.join(told['maintenance'])}"
    if told["silenced_by"] is None:
        yield "silences: not known, as no agent answers"
    elif told["silenced_by"]:
        yield f"silenced by {', '.join(told['silenced_by'])}"


def _of_tree(told: Mapping[str, Any]) -> Iterator[str]:
    for step in told["path"]:
        mark = "=>" if step["answers"] else "  " if step["matches"] else " x"
        yield f"{mark} {step['route']}"
    for route in told["routes"]:
        yield from _of_route(route)


def _of_route(route: Mapping[str, Any]) -> Iterator[str]:
    group = ", ".join(f"{name}={value}" for name, value in route["group"].items())
    yield f"{route['receiver']}: {', '.join(route['channels'])}"
    yield f"  group {{{group}}}, after {route['group_wait']}"
    yield f"  then every {route['group_interval']}, again after {route['repeat_interval']}"
    for step in route["escalates"]:
        yield f"  {step['channel']} after {step['after']}, if nobody takes it on"
    if route["repeats"]:
        yield f"  and all of it {route['repeats']} times again, every {route['round']}"
    if route["closed_by"]:
        yield f"  closed now by {', '.join(route['closed_by'])}"
