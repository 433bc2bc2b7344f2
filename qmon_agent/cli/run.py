"""`qmon-agent run`: the daemon."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

import click

from qmon_agent.cli._place import Place, with_place


@click.command
@click.option("--socket", metavar="PATH", help="Data socket [QMON_SOCKET].")
@click.option("--http", metavar="HOST:PORT", help="HTTP address [127.0.0.1:7690]; port 0: any.")
@click.option("--no-store", is_flag=True, help="Take, keep and judge, without a telemetry store.")
@with_place
def command(*, socket: str | None, http: str | None, no_store: bool, place: Place) -> int:
    """Run until SIGTERM or SIGINT; SIGHUP reads the configuration again."""
    del socket  # `place` has it already, beside its default and the environment
    # The daemon is imported where it runs: no other command pays for it.
    from qmon_agent.app import Voice, run_agent

    voice = Voice(ready=_say_json if place.json else _say, note=_note)
    return run_agent(place.locations, http=http, with_store=not no_store, voice=voice)


def _say(ready: Mapping[str, str]) -> None:
    doors = (f"{name}={where}" for name, where in ready.items())
    click.echo(" ".join(("qmon-agent ready", *doors)))


def _say_json(ready: Mapping[str, str]) -> None:
    click.echo(json.dumps({"version": 1, "ready": True, "pid": os.getpid(), **ready}))


def _note(line: str) -> None:
    click.echo(f"qmon-agent {line}", err=True)
