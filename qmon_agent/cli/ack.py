"""`qmon-agent ack`: somebody takes an incident on."""

from __future__ import annotations

import click

from qmon_agent.cli._deeds import by_option, do, seconds_of
from qmon_agent.cli._place import Place, with_place


@click.command
@click.argument("incident")
@click.option("--for", "lasts", default="", help="For how long: 1h; else until it is over.")
@click.option("--sticky", is_flag=True, help="Also if it gets worse.")
@click.option("--undo", is_flag=True, help="Nobody has taken it on any more.")
@click.option("--comment", "text", default="", help="What is done about it.")
@by_option
@with_place
def command(  # noqa: PLR0913 - one for each option
    *,
    incident: str,
    lasts: str,
    sticky: bool,
    undo: bool,
    text: str,
    by: str,
    place: Place,
) -> None:
    """Take an incident on: it is told, and repeated no more, until it is over."""
    if undo:
        do(place, incident, "unack", by=by, text=text)
        return
    for_s = seconds_of("--for", lasts)
    do(place, incident, "ack", by=by, text=text, for_s=for_s, sticky=sticky)
