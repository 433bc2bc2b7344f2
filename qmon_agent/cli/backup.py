"""`qmon-agent backup`: everything an agent keeps, while it runs or not."""

from __future__ import annotations

import time
from pathlib import Path

import click

from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._progress import Progress
from qmon_agent.cli._shown import show_json

_MIB = 1 << 20


@click.command
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=7,
    show_default=True,
    help="How many backups stay in it.",
)
@with_place
def command(*, directory: Path, keep: int, place: Place) -> int:
    """Add a backup to a directory of backups; what did not change is not copied again.

    Exit code 1: a segment was damaged, and is not in it.
    """
    from qmon_agent.app.backing_up import back_up
    from qmon_agent.app.vault import Vault

    progress, began = Progress(), time.monotonic()
    vault = Vault(directory)
    try:
        backup = back_up(place.locations, vault, keep=keep, say=progress.say)
    finally:
        progress.end()
    took_s = round(time.monotonic() - began, 3)
    if place.json:
        document = {
            "version": 1,
            "ok": not backup.damaged,
            "backup": backup.name,
            "files": len(backup.files),
            "bytes": backup.bytes,
            "copied": vault.copied,
            "copied_bytes": vault.copied_bytes,
            "rows": backup.rows,
            "damaged": list(backup.damaged),
            "elsewhere": list(backup.elsewhere),
            "took_s": took_s,
        }
        show_json(document)
    else:
        held = f"{len(backup.files)} files, {backup.bytes / _MIB:.1f} MiB"
        copied = f"{vault.copied} of them copied, {vault.copied_bytes / _MIB:.1f} MiB"
        click.echo(f"backup {backup.name}: {held}; {copied}, in {took_s:.1f} s")
        for file in backup.damaged:
            click.echo(f"damaged, and not in it: {file}", err=True)
        for what in backup.elsewhere:
            click.echo(f"not in it: {what} is kept by a database of its own", err=True)
    return int(bool(backup.damaged))
