"""`qmon-agent label`: whether an incident was worth telling, for the figures."""

from __future__ import annotations

import getpass

import click

from qmon_agent.cli._control import find_control
from qmon_agent.cli._deeds import by_option
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json


@click.command
@click.argument("incident")
@click.argument("label", type=click.Choice(["useful", "noise", "none"]))
@by_option
@with_place
def command(*, incident: str, label: str, by: str, place: Place) -> int:
    """Say of an incident that it was useful or noise, also when it is over; none takes it back."""
    body = {"by": by or getpass.getuser(), "text": label}
    answer = find_control(place.locations).post(f"/api/incidents/{incident}/label", body)
    if place.json:
        show_json(answer)
    elif not answer["labelled"]:
        click.echo(f"no incident {incident}", err=True)
    return 0 if answer["labelled"] else 1
