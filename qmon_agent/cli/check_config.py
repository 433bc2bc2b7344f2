"""`qmon-agent check-config`: is the configuration right, and where does each value come from."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from qmon_agent.app.trying import run_tests
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json
from qmon_agent.cli._tried import tried_json, tried_lines
from qmon_agent.settings import Locations, Settings


@click.command
@click.option("--show-origin", is_flag=True, help="Every value, and who gave it.")
@click.option("--test", is_flag=True, help="Run its `[[tests]]` through its processors, too.")
@click.option(
    "--tests",
    "more",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Run those of this file, too; may be said more than once.",
)
@with_place
def command(*, show_origin: bool, test: bool, more: tuple[Path, ...], place: Place) -> int:
    """Check the configuration without starting anything; exit code 3 names what is wrong.

    Exit code 1: a test of it fails.
    """
    # Building the plug-ins is the check of their sections.
    from qmon_agent.app.checking import load_plugins

    settings, _ = load_plugins(place.locations.config)
    outcomes = run_tests(settings, more) if test or more else []
    failed = not all(outcome.passed for outcome in outcomes)
    file = str(place.locations.config or "")
    values = [*_values(place.locations, settings)] if show_origin else []
    if place.json:
        shown: dict[str, Any] = {"values": values} if show_origin else {}
        shown |= {"tests": tried_json(outcomes)} if test or more else {}
        show_json({"version": 1, "ok": not failed, "file": file, **shown})
        return int(failed)
    click.echo(f"ok: {file or 'no file, the defaults are in force'}")
    for value in values:
        click.echo(f"{value['path']} = {value['value']!r}  ({value['origin']})")
    for line in tried_lines(outcomes) if test or more else ():
        click.echo(line)
    return int(failed)


def _values(locations: Locations, settings: Settings) -> Iterator[dict[str, Any]]:
    for name in ("state", "socket", "config"):
        value = str(getattr(locations, name) or "")
        yield {"path": name, "value": value, "origin": locations.origins[name]}
    # As it is written: a reference to a secret is shown, and never the secret.
    content = locations.config.read_text("utf-8") if locations.config else ""
    written = dict(_flat(tomllib.loads(content)))
    known = {**dict(_flat(msgspec.to_builtins(settings))), **written}
    for path, value in known.items():
        origin = str(locations.config) if path in written else "default"
        yield {"path": path, "value": value, "origin": origin}


def _flat(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        inside = f"{path}.{key}" if path else key
        if isinstance(value, Mapping) and value:
            yield from _flat(value, inside)
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
            for number, item in enumerate(value):
                yield from _flat(item, f"{inside}[{number}]")
        elif value != {}:
            yield inside, value
