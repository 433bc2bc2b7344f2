"""`qmon-agent flare`: a bundle for whoever helps, without data and without secrets."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from qmon_agent.cli._control import find_control
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json
from qmon_agent.domain.errors import QmonError
from qmon_agent.settings import Locations

Member = tuple[str, bytes]


@click.command
@click.option("--to", "file", metavar="FILE", help="The bundle [qmon-flare-TIME.tar.gz].")
@click.option("--yes", is_flag=True, help="Write it without asking.")
@with_place
def command(*, file: str | None, yes: bool, place: Place) -> int:
    """Gather what helps to help: settings, status, versions, stacks, sizes; no data, no secrets."""
    members = [*_members(place.locations)]
    target = Path(file or time.strftime("qmon-flare-%Y%m%d-%H%M%S.tar.gz"))
    listed = [{"name": name, "bytes": len(content)} for name, content in members]
    if not place.json:
        for name, content in members:
            click.echo(f"{len(content):>9}  {name}")
    is_wanted = yes or (not place.json and click.confirm(f"Write {target}?"))
    if is_wanted:
        _write(target, members)
    if place.json:
        document = {"version": 1, "file": str(target), "written": is_wanted, "members": listed}
        show_json(document)
    elif is_wanted:
        click.echo(f"written: {target}; look into it before you send it: tar -xOzf {target}")
    else:
        click.echo("nothing was written")
    return 0


def _members(locations: Locations) -> Iterator[Member]:
    """Everything that can be had; what cannot says why."""
    from qmon_agent.app import bundle
    from qmon_agent.cli.doctor import findings

    status = _asked(locations, "/api/status")
    scrub = bundle.scrubber_for(locations, pid=int(status.get("pid", 0)))
    parts: dict[str, Callable[[], Any]] = {
        "about.json": lambda: bundle.about(locations),
        "configuration.json": lambda: bundle.configuration(locations),
        "status.json": lambda: status,
        "doctor.json": lambda: msgspec.to_builtins([*findings(locations)]),
        "stacks.json": lambda: _asked(locations, "/api/stacks"),
        "hung.json": lambda: json.loads(locations.hung.read_bytes()),
        "dead_letters.json": lambda: bundle.dead_letters(locations),
        "layout.json": lambda: bundle.layout(locations),
    }
    for name, gather in parts.items():
        if name == "hung.json" and not locations.hung.exists():
            continue
        try:
            found = gather()
        except Exception as problem:  # noqa: BLE001 - what is broken is just what is looked for
            found = {"failed": f"{type(problem).__name__}: {problem}"}
        yield name, scrub(json.dumps(found, indent=1, default=str, ensure_ascii=False)).encode()


def _asked(locations: Locations, route: str) -> dict[str, Any]:
    try:
        return find_control(locations).get(route)
    except QmonError as problem:
        return {"failed": str(problem)}


def _write(target: Path, members: list[Member]) -> None:
    """For its owner only, and never over what is there."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as problem:
        raise click.ClickException(f"{target}: {problem.strerror}") from None
    with os.fdopen(descriptor, "wb") as out, tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members:
            entry = tarfile.TarInfo(f"qmon-flare/{name}")
            entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o600
            archive.addfile(entry, io.BytesIO(content))
