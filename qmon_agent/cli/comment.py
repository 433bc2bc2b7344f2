"""`qmon-agent comment`: something is said of an incident, for whoever looks at it later."""

from __future__ import annotations

import click

from qmon_agent.cli._deeds import by_option, do
from qmon_agent.cli._place import Place, with_place


@click.command
@click.argument("incident")
@click.argument("text")
@click.option("--public", is_flag=True, help="For the status page: everybody may read it.")
@by_option
@with_place
def command(*, incident: str, text: str, public: bool, by: str, place: Place) -> None:
    """Say something of an incident; it is kept with it, and no message is sent."""
    do(place, incident, "comment_public" if public else "comment", by=by, text=text)
