"""`qmon-agent revoke-links`: no link works that was sent in a message so far."""

from __future__ import annotations

import click

from qmon_agent.cli._control import find_control
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json


@click.command("revoke-links")
@with_place
def command(*, place: Place) -> int:
    """Make all links void that messages have carried so far; those of later messages work."""
    answer = find_control(place.locations).delete("/api/links")
    if place.json:
        show_json(answer)
    else:
        click.echo("no link works that was sent so far; later messages have new ones")
    return 0
