"""`qmon-agent snooze`: an incident is put off."""

from __future__ import annotations

import time

import click

from qmon_agent.cli._deeds import by_option, do, seconds_of
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._times import moment


@click.command
@click.argument("incident")
@click.option("--for", "lasts", default="1h", show_default=True, help="For how long.")
@click.option("--comment", "text", default="", help="Why.")
@by_option
@with_place
def command(*, incident: str, lasts: str, text: str, by: str, place: Place) -> None:
    """Put an incident off: it is not repeated meanwhile, and told again if it fires after that."""
    answer = do(place, incident, "snooze", by=by, text=text, for_s=seconds_of("--for", lasts))
    if not place.json:
        until = moment(answer["handling"]["snoozed_until"], now=time.time_ns())
        click.echo(f"put off until {until}; if it fires still, it is told again then")
