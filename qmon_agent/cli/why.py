"""`qmon-agent why`: why did, or did not, somebody hear of an alert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import click

from qmon_agent.cli._control import find_control
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import printable, show_json
from qmon_agent.cli._why_lines import incident_lines


@click.command
@click.argument("incident", required=False, default="")
@click.option("--alert", default="", help="An alert by its name, also one that never fired.")
@click.option("--channel", default="", help="Only what this channel heard, or why it did not.")
@with_place
def command(*, incident: str, alert: str, channel: str, place: Place) -> None:
    """Say why INCIDENT fired, who heard of it and when, and what kept it from others.

    With --alert: whether what it looks at was ever seen, how far it is from firing, and its last
    incidents.
    """
    if bool(incident) == bool(alert):
        raise click.UsageError("name an incident, or an alert by --alert")
    asked = {"incident": incident, "alert": alert, "channel": channel}
    said = urlencode({key: value for key, value in asked.items() if value})
    told = find_control(place.locations).get(f"/api/why?{said}")
    if place.json:
        show_json(told)
        return
    for line in _of_alert(told) if alert else incident_lines(told):
        click.echo(printable(line))


def _of_alert(told: Mapping[str, Any]) -> Iterator[str]:
    alert = told["alert"]
    n = told["instances"]
    yield f"{alert['name']} ({alert['rule']}): {n} {'instance' if n == 1 else 'instances'}"
    yield from (f"  {answer}" for answer in told["answers"])
    for each in told["incidents"]:
        yield from incident_lines(each)
