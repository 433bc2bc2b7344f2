"""`qmon-agent move-state`: alerts, incidents and messages into another database."""

from __future__ import annotations

import click

from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._progress import Progress
from qmon_agent.cli._shown import show_json


@click.command
@click.option(
    "--to", metavar="DSN", required=True, help="postgresql+psycopg://... or sqlite:///FILE."
)
@click.option(
    "--password",
    envvar="QMON_STATE_PASSWORD",
    default="",
    help="Of PostgreSQL [QMON_STATE_PASSWORD].",
)
@with_place
def command(*, to: str, password: str, place: Place) -> int:
    """Move the state of a stopped agent into an empty database; the old one stays as it is.

    All of it arrives, and was compared, or nothing does. [store] state has to name it afterwards.
    """
    from qmon_agent.app.moving_state import move

    progress = Progress()
    try:
        moved = move(place.locations, to, password, say=progress.say)
    finally:
        progress.end()
    if place.json:
        show_json({"version": 1, "ok": True, "rows": moved.rows, "checksum": moved.checksum})
    else:
        total = sum(moved.rows.values())
        click.echo(
            f"moved {total} rows of {len(moved.rows)} tables, checksum {moved.checksum[:16]}"
        )
        click.echo("now write its address into [store] state, and start the agent")
    return 0
