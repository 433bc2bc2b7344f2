"""`qmon-agent resolve`: an incident is ended by hand."""

from __future__ import annotations

import click

from qmon_agent.cli._deeds import by_option, do
from qmon_agent.cli._place import Place, with_place


@click.command
@click.argument("incident")
@click.option("--comment", "text", default="", help="Why.")
@by_option
@with_place
def command(*, incident: str, text: str, by: str, place: Place) -> None:
    """End an incident now; if its condition holds still, another one begins."""
    do(place, incident, "resolve", by=by, text=text)
