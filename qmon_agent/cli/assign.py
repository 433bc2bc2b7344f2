"""`qmon-agent assign`: an incident is given to somebody."""

from __future__ import annotations

import click

from qmon_agent.cli._deeds import by_option, do
from qmon_agent.cli._place import Place, with_place


@click.command
@click.argument("incident")
@click.argument("person", default="")
@by_option
@with_place
def command(*, incident: str, person: str, by: str, place: Place) -> None:
    """Give an incident to a person; without one, to nobody."""
    do(place, incident, "assign", by=by, text=person)
