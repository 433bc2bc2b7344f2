"""`qmon-agent hold`: what may not be given up, whatever the bounds say."""

from __future__ import annotations

import getpass
from urllib.parse import quote, urlencode

import click
from click.core import ParameterSource

from qmon_agent.cli._control import find_control
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json, show_table
from qmon_agent.cli._times import with_moments

_COLUMNS = ("id", "kinds", "service", "user", "since", "until", "reason", "author", "created_at")
_ENDED = ("removed_at", "removed_by")
_MOMENTS = ("since", "until", "created_at", "removed_at")


def _named(context: click.Context, option: click.Parameter, value: str) -> str:
    """An empty name, as of a variable that is not set, would hold everybody's."""
    source = context.get_parameter_source(option.name or "")
    if not value and source is not ParameterSource.DEFAULT:
        raise click.BadParameter("it is empty; without it, all are held", context, option)
    return value


@click.group
def command() -> None:
    """Hold what must not be given up: not by age, not by bytes, not by `forget`."""


@command.command
@click.option("--kind", "kinds", multiple=True, help="Of this kind of signal; may be repeated.")
@click.option("--service", default="", callback=_named, help="Of this service.")
@click.option("--user", default="", callback=_named, help="About this user.")
@click.option("--since", default="", help="From this day or time on: 2026-11-27, or 2h ago: 2h.")
@click.option("--until", default="", help="Before this day or time.")
@click.option("--reason", required=True, help="Why.")
@click.option("--author", default="", help="Who; else who is signed in here.")
@with_place
def add(*, kinds: tuple[str, ...], place: Place, **said: str) -> None:
    """Hold all that fits everything that is said; nothing said: all there is, and will be."""
    body = {**said, "kinds": kinds, "author": said["author"] or getpass.getuser()}
    made = find_control(place.locations).post("/api/holds", body)
    if place.json:
        show_json(made)
    else:
        click.echo(made["hold"]["id"])


@command.command(name="list")
@click.option("--all", "removed", is_flag=True, help="Also those removed: when, and by whom.")
@with_place
def list_(*, removed: bool, place: Place) -> None:
    """List the holds in force, and how much is there only because of them."""
    control = find_control(place.locations)
    answer = control.get(f"/api/holds?removed={str(removed).lower()}")
    held = control.get("/api/status")["store"]["counts"].get("held_segments", 0)
    if place.json:
        show_json({**answer, "held_segments": held})
        return
    rows = [{**each, "kinds": " ".join(each["kinds"]) or "all"} for each in answer["holds"]]
    show_table((*_COLUMNS, *_ENDED) if removed else _COLUMNS, with_moments(rows, _MOMENTS))
    if held:
        click.echo(f"{held} segments would be given up, were they not held")


@command.command
@click.argument("hold")
@click.option("--author", default="", help="Who; else who is signed in here.")
@with_place
def remove(*, hold: str, author: str, place: Place) -> int:
    """Let go of what is held by one; the bounds apply to it again."""
    said = urlencode({"author": author or getpass.getuser()})
    answer = find_control(place.locations).delete(f"/api/holds/{quote(hold)}?{said}")
    if place.json:
        show_json(answer)
    elif answer["removed"]:
        click.echo(f"{hold} is removed: the bounds apply again")
    else:
        click.echo(f"no hold {hold} is in force", err=True)
    return 0 if answer["removed"] else 1
