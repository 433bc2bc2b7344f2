"""`qmon-agent token`: who may send, read, operate, or administer."""

from __future__ import annotations

from typing import Any

import click

from qmon_agent.cli._control import find_control
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json, show_table
from qmon_agent.cli._times import with_moments
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError

_COLUMNS = ("id", "name", "scope", "created_at", "expires_at", "revoked_at")
_MOMENTS = ("created_at", "expires_at", "revoked_at")


@click.group
def command() -> None:
    """Make, list and revoke tokens."""


@command.command
@click.option(
    "--scope",
    required=True,
    type=click.Choice(["ingest", "read", "operator", "admin"]),
    help="What it may be used for.",
)
@click.option(
    "--ttl", default="90d", show_default=True, help="How long it is valid; 0 = never expires."
)
@click.option("--name", default="", help="What it is for.")
@with_place
def create(*, scope: str, ttl: str, name: str, place: Place) -> None:
    """Make a token and show it, this once."""
    body = {"scope": scope, "name": name, "ttl_s": _seconds(ttl)}
    made = find_control(place.locations).post("/api/tokens", body)
    if place.json:
        show_json({"version": 1, "token": made["token"], "id": made["id"]})
    else:
        click.echo(made["token"])


@command.command(name="list")
@with_place
def list_(*, place: Place) -> None:
    """List all tokens; their text cannot be had again."""
    answer = find_control(place.locations).get("/api/tokens")
    if place.json:
        show_json(answer)
    else:
        show_table(_COLUMNS, with_moments(answer["tokens"], _MOMENTS))


@command.command
@click.argument("token_id", type=int)
@with_place
def revoke(*, token_id: int, place: Place) -> int:
    """End a token now."""
    answer: dict[str, Any] = find_control(place.locations).delete(f"/api/tokens/{token_id}")
    if place.json:
        show_json(answer)
    elif not answer["revoked"]:
        click.echo(f"no valid token has the id {token_id}", err=True)
    else:
        click.echo(f"revoked: {_which(answer)}")
    return 0 if answer["revoked"] else 1


def _which(token: dict[str, Any]) -> str:
    name = f", {token['name']}" if token["name"] else ""
    return f"token {token['id']}{name} (scope {token['scope']})"


def _seconds(ttl: str) -> float:
    try:
        return parse_duration(ttl) / 1e9
    except ValueError as problem:
        raise ConfigError("--ttl", str(problem)) from None
