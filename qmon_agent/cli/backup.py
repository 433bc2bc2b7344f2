"""`qmon-agent backup`: everything an agent keeps, while it runs or not."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import asdict

from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._progress import Progress
from qmon_agent.cli._shown import show_json
from qmon_agent.cli._suspected import followed_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qmon_agent.app.vault import Backup, Vault

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

    Exit code 1: a segment was found to be damaged now, and is not in it.
    """
    from qmon_agent.app.backing_up import back_up
    from qmon_agent.app.vault import Vault

    progress, began = Progress(), time.monotonic()
    vault = Vault(directory)
    try:
        backup = back_up(place.locations, vault, keep=keep, say=progress.say)
    finally:
        progress.end()
    becomes = followed_up(place.locations, backup.damaged)
    took_s = round(time.monotonic() - began, 3)
    if place.json:
        show_json(_document(backup, vault, took_s=took_s))
    else:
        held = f"{len(backup.files)} files, {backup.bytes / _MIB:.1f} MiB"
        copied = f"{vault.copied} of them copied, {vault.copied_bytes / _MIB:.1f} MiB"
        click.echo(f"backup {backup.name}: {held}; {copied}, in {took_s:.1f} s")
        for words in _remarks(backup, vault, becomes):
            click.echo(words, err=True)
    return int(bool(backup.damaged))


def _document(backup: Backup, vault: Vault, *, took_s: float) -> dict[str, Any]:
    return {
        "version": 1,
        "ok": not backup.damaged,
        "backup": backup.name,
        "files": len(backup.files),
        "bytes": backup.bytes,
        "copied": vault.copied,
        "copied_bytes": vault.copied_bytes,
        "rows": backup.rows,
        "damaged": list(backup.damaged),
        "set_aside": [asdict(each) for each in backup.set_aside],
        "spared": list(vault.spared),
        "elsewhere": list(backup.elsewhere),
        "took_s": took_s,
    }


def _remarks(backup: Backup, vault: Vault, becomes: Mapping[str, str]) -> Iterator[str]:
    """What whoever makes it has to know besides."""
    for file in backup.damaged:
        yield f"damaged, and not in it: {file}; {becomes[file]}"
    aside: Counter[tuple[str, str]] = Counter()
    for each in backup.set_aside:
        aside[each.table, each.day] += each.rows
    for (table, day), rows in aside.items():
        yield f"set aside as damaged before, and not in it: {rows} rows of {table}, {day}"
    for name in vault.spared:
        yield f"backup {name} stays beyond --keep: it may have what is damaged now"
    for what in backup.elsewhere:
        yield f"not in it: {what} is kept by a database of its own"
