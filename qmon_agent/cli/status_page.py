"""`qmon-agent status-page`: what the status page says."""

from __future__ import annotations

import click

from qmon_agent.cli._control import find_control
from qmon_agent.cli._page_lines import page_lines
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import printable, show_json


@click.command
@with_place
def command(*, place: Place) -> None:
    """Show the status page: each component with a bar of 90 days, incidents, planned work."""
    answer = find_control(place.locations).get("/api/status-page?internal=true")
    if place.json:
        show_json(answer)
        return
    for line in page_lines(answer):
        click.echo(printable(line))
