"""`qmon-agent silence`: what nobody wants to hear of for a while."""

from __future__ import annotations

import getpass

import click

from qmon_agent.cli._control import find_control
from qmon_agent.cli._deeds import seconds_of
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json, show_table
from qmon_agent.cli._times import with_moments

_COLUMNS = ("id", "state", "matchers", "starts_at", "ends_at", "author", "comment")
_MOMENTS = ("starts_at", "ends_at")


class _Adding(click.Group):
    """Takes matchers without a command's name for what is to be silenced."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As ever, but for what can only be a matcher."""
        is_matcher = bool(args) and args[0] not in self.commands and "=" in args[0]
        return super().resolve_command(ctx, ["add", *args] if is_matcher else args)


@click.group(cls=_Adding)
def command() -> None:
    """Make, list and end silences; `silence service=shop --for 2h` makes one, too."""


@command.command
@click.argument("matchers", nargs=-1, required=True)
@click.option("--for", "lasts", default="2h", show_default=True, help="How long it lasts.")
@click.option("--in", "begins", default="0s", show_default=True, help="When it begins: in 1h.")
@click.option("--comment", default="", help="Why.")
@click.option("--author", default="", help="Who; else who is signed in here.")
@click.option(
    "--until-resolved",
    is_flag=True,
    help="End it as soon as nothing that it mutes is firing any more.",
)
@with_place
def add(
    *,
    matchers: tuple[str, ...],
    lasts: str,
    begins: str,
    place: Place,
    **said: str | bool,
) -> None:
    """Say nothing of alerts with these labels: `service=shop`, `'severity=~"info|warning"'`."""
    control = find_control(place.locations)
    body = {
        **said,
        "matchers": ",".join(matchers),
        "for_s": seconds_of("--for", lasts),
        "in_s": seconds_of("--in", begins),
        "author": said["author"] or getpass.getuser(),
    }
    made = control.post("/api/silences", body)
    for doubt in made.get("warnings", ()):
        click.echo(f"qmon-agent: warning: {doubt}", err=True)
    if place.json:
        show_json(made)
    else:
        click.echo(made["silence"]["id"])


@command.command(name="list")
@click.option("--expired", is_flag=True, help="Also those that are over.")
@with_place
def list_(*, expired: bool, place: Place) -> None:
    """List silences."""
    answer = find_control(place.locations).get("/api/silences")
    found = [each for each in answer["silences"] if expired or each["state"] != "expired"]
    if place.json:
        show_json({**answer, "silences": found})
    else:
        show_table(_COLUMNS, with_moments(found, _MOMENTS))


@command.command
@click.argument("silence")
@with_place
def expire(*, silence: str, place: Place) -> int:
    """End a silence now."""
    answer = find_control(place.locations).delete(f"/api/silences/{silence}")
    if place.json:
        show_json(answer)
    elif not answer["expired"]:
        click.echo(f"no silence {silence} lasts", err=True)
    return 0 if answer["expired"] else 1
