"""`qmon-agent run`: the daemon."""

from __future__ import annotations

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
    from qmon_agent.app import run_agent

    return run_agent(place.locations, http=http, with_store=not no_store, say=click.echo)
