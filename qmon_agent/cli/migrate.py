"""`qmon-agent migrate`: the telemetry of a stopped agent, to another place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._progress import Progress
from qmon_agent.cli._shown import show_json

if TYPE_CHECKING:
    from qmon_agent.app.moving_house import Moved


@click.command
@click.option(
    "--to",
    "target",
    required=True,
    metavar="DSN",
    help="`duckdb://DIRECTORY` or `clickhouse://USER@HOST:PORT/DATABASE`.",
)
@click.option(
    "--password",
    envvar="QMON_TELEMETRY_PASSWORD",
    default="",
    help="Of ClickHouse's user [QMON_TELEMETRY_PASSWORD, or `telemetry_password`].",
)
@with_place
def command(*, target: str, password: str, place: Place) -> None:
    """Copy all telemetry to another directory or into ClickHouse, counts and checksums verified.

    May be interrupted and called again. What is where it was stays there.
    """
    from qmon_agent.app.moving_house import move

    target = _absolute(target)
    progress = Progress()
    try:
        moved = move(place.locations, target, password=password, say=progress.say)
    finally:
        progress.end()
    if place.json:
        show_json({"version": 1, "ok": True, "to": target, **msgspec.structs.asdict(moved)})
    else:
        _show(moved, target)


def _absolute(target: str) -> str:
    """As the configuration is to say it: an agent starts in another directory than a person."""
    from qmon_agent.store.telemetry import dialect_of, directory_of

    if dialect_of(target) != "duckdb":
        return target
    return f"duckdb://{directory_of(target).absolute()}"


def _show(moved: Moved, target: str) -> None:
    for table, days in moved.rows.items():
        click.echo(f"{table}: {sum(days.values())} rows of {_counted(len(days), 'day')}")
    click.echo(f"{moved.segments} segments are whole, {moved.copied} were copied now")
    if moved.checksums:
        click.echo("both engines add them up to the same, each table and day")
    if moved.left:
        click.echo(f"not moved: {sum(moved.left.values())} rows of {', '.join(moved.left)}")
    if moved.damaged:
        aside = f"{_counted(moved.damaged, 'segment')} had been set aside as damaged"
        click.echo(f"{aside}: their rows are not moved", err=True)
    if moved.waiting_records:
        waiting = _counted(moved.waiting_records, "record")
        click.echo(f"in the journal: {waiting}; the agent brings them when it starts")
    click.echo(f'set this, and start the agent: [store] telemetry = "{target}"')


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
