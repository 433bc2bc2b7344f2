"""`qmon-agent migrate`: the telemetry of a stopped agent, to another place."""

from __future__ import annotations

import click

from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._progress import Progress
from qmon_agent.cli._shown import show_json


@click.command
@click.option("--to", "target", required=True, metavar="DSN", help="`duckdb://DIRECTORY`.")
@with_place
def command(*, target: str, place: Place) -> None:
    """Copy all telemetry to another directory, with counts and checksums verified.

    May be interrupted and called again. What is where it was stays there.
    """
    from qmon_agent.app.moving_house import move

    progress = Progress()
    try:
        moved = move(place.locations, target, say=progress.say)
    finally:
        progress.end()
    if place.json:
        counts = {"segments": moved.segments, "copied": moved.copied, "rows": moved.rows}
        show_json({"version": 1, "ok": True, "to": target, **counts})
        return
    for table, days in moved.rows.items():
        click.echo(f"{table}: {sum(days.values())} rows of {len(days)} days")
    click.echo(f"{moved.segments} segments are whole, {moved.copied} were copied now")
    click.echo(f'set this, and start the agent: [store] telemetry = "{target}"')
