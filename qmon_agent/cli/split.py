"""`qmon-agent split`: an incident that was merged stands for itself again."""

from __future__ import annotations

import click

from qmon_agent.cli._deeds import by_option, do
from qmon_agent.cli._place import Place, with_place


@click.command
@click.argument("incident")
@by_option
@with_place
def command(*, incident: str, by: str, place: Place) -> None:
    """Take an incident out of what it was merged into; it is told again by itself."""
    do(place, incident, "split", by=by)
