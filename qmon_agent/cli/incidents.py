"""`qmon-agent incidents`: what fires, what did, and how well that went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args
from urllib.parse import urlencode

import click

from qmon_agent.cli._control import find_control
from qmon_agent.cli._deeds import seconds_of
from qmon_agent.cli._figures import figure_lines
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import printable, show_json, show_table
from qmon_agent.cli._times import with_moments
from qmon_agent.cli._why_lines import incident_lines
from qmon_agent.domain.incidents import State

_COLUMNS = (
    *("id", "alert_name", "instance", "state", "severity", "value", "since", "resolved_at"),
    *("unknown", "muted_by", "acked_by", "assignee", "merged_into"),
)
_MOMENTS = ("since", "resolved_at")


@click.group(invoke_without_command=True)
@click.option(
    "--state-of",
    "states",
    multiple=True,
    type=click.Choice(get_args(State)),
    help="Only this state; inactive: it is over.",
)
@click.option("--limit", default=100, show_default=True, help="At most so many.")
@with_place
def command(*, states: tuple[str, ...], limit: int, place: Place) -> None:
    """List incidents, those that fire first, then the newest; or show how alerting did.

    `unknown`: why nothing is known of it now. `muted_by`: what keeps people from hearing of it now:
    a silence, maintenance, an incident that explains it, a time interval, that it flaps, a snooze,
    the storm brake.
    """
    if click.get_current_context().invoked_subcommand:
        return
    asked = urlencode([*(("state", state) for state in states), ("limit", limit)])
    answer = find_control(place.locations).get(f"/api/incidents?{asked}")
    if place.json:
        show_json(answer)
    else:
        show_table(_COLUMNS, with_moments(map(_row, answer["incidents"]), _MOMENTS))


def _row(incident: Mapping[str, Any]) -> dict[str, Any]:
    """As people read it: what is over is neither unknown nor muted."""
    is_open = incident["state"] != "inactive"
    unknown = incident["unknown"] if is_open else ""
    return {**incident, "unknown": unknown, "muted_by": ", ".join(incident["muted_by"])}


@command.command
@click.argument("incident")
@with_place
def show(*, incident: str, place: Place) -> None:
    """Show INCIDENT, who heard of it, and its life, as `qmon-agent why` does."""
    told = find_control(place.locations).get(f"/api/why?{urlencode({'incident': incident})}")
    if place.json:
        show_json(told)
        return
    for line in incident_lines(told):
        click.echo(printable(line))


@command.command
@click.option("--since", default="30d", show_default=True, help="How far back: 7d.")
@click.option("--zone", default="UTC", show_default=True, help="Where nights are meant.")
@with_place
def stats(*, since: str, zone: str, place: Place) -> None:
    """Show how soon, how well and how loudly alerting worked."""
    asked = urlencode({"since_s": seconds_of("--since", since), "zone": zone})
    answer = find_control(place.locations).get(f"/api/incidents/figures?{asked}")
    if place.json:
        show_json(answer)
        return
    for line in figure_lines(answer["figures"]):
        click.echo(printable(line))
