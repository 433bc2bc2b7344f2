"""`qmon-agent restore`: an agent's memory from a backup, each byte checked first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._progress import Progress
from qmon_agent.cli._shown import show_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qmon_agent.app.brought_back import Requests
    from qmon_agent.app.vault import Backup


@click.command
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--backup", "name", default="", help="Which one [the last].")
@click.option("--force", is_flag=True, help="Put aside what is there already.")
@click.option("--check", "only_look", is_flag=True, help="Only look whether it is whole.")
@with_place
def command(*, directory: Path, name: str, force: bool, only_look: bool, place: Place) -> int:
    """Put a backup where the agent, which must not run, keeps its memory.

    Exit code 1, with --check: files of it are damaged.
    """
    from qmon_agent.app.brought_back import sentences
    from qmon_agent.app.restoring import check, restore
    from qmon_agent.app.vault import Vault

    vault, progress = Vault(directory), Progress()
    try:
        if only_look:
            backup, bad = check(vault, name=name, say=progress.say)
            newer: Requests | None = ()
        else:
            done = restore(place.locations, vault, name=name, force=force, say=progress.say)
            backup, bad, newer = done.backup, [], done.forgotten_since
    finally:
        progress.end()
    facts: Mapping[str, Sequence[str]] = (
        {"damaged": bad} if only_look else {"put_aside": done.put_aside, "left": done.left}
    )
    if place.json:
        told = {"backup": backup.name, "files": len(backup.files), "bytes": backup.bytes}
        since = {} if only_look else {"forgotten_since": msgspec.to_builtins(newer)}
        show_json({"version": 1, "ok": not bad, **told, "rows": backup.rows, **facts, **since})
    else:
        _show(backup, facts, only_look=only_look)
        for words in sentences(newer):
            click.echo(words, err=True)
    return int(bool(bad))


def _show(backup: Backup, facts: Mapping[str, Sequence[str]], *, only_look: bool) -> None:
    said = "is whole" if only_look and not facts["damaged"] else "is put back"
    said = "is damaged" if facts.get("damaged") else said
    click.echo(f"backup {backup.name} of {len(backup.files)} files {said}")
    for what, paths in facts.items():
        for path in paths:
            click.echo(f"{what.replace('_', ' ')}: {path}", err=True)
