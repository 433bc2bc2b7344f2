"""`qmon-agent reload`: the file as it is now, without a restart."""

from __future__ import annotations

import click

from qmon_agent.cli._control import find_control
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json

_WRONG = 3


@click.command
@with_place
def command(*, place: Place) -> int:
    """Have the running agent read its configuration again, and say what changed.

    Exit code 3: the file is wrong, and the last good configuration stays in force.
    Exit code 1: something that changed needs a restart.
    """
    answer = find_control(place.locations).reload()
    if place.json:
        show_json(answer)
    else:
        click.echo(answer["said"], err=not answer["reloaded"])
        for title, names in _told(answer["changed"], answer["needs_restart"]):
            click.echo(f"{title}: {', '.join(names)}")
    if not answer["reloaded"]:
        return _WRONG
    return int(bool(answer["needs_restart"]))


def _told(changed: list[str], needs_restart: list[str]) -> list[tuple[str, list[str]]]:
    told = (("changed", changed), ("not in force before a restart", needs_restart))
    return [(title, names) for title, names in told if names]
