"""`qmon-agent merge`: several incidents are one for people."""

from __future__ import annotations

import getpass

import click

from qmon_agent.cli._control import find_control
from qmon_agent.cli._deeds import by_option
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json


@click.command
@click.argument("into")
@click.argument("others", nargs=-1, required=True)
@by_option
@with_place
def command(*, into: str, others: tuple[str, ...], by: str, place: Place) -> None:
    """Merge incidents into the first: it is told for all, and over when all are."""
    body = {"incidents": others, "by": by or getpass.getuser()}
    answer = find_control(place.locations).post(f"/api/incidents/{into}/merge", body)
    if place.json:
        show_json(answer)
