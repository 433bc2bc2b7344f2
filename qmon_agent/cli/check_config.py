"""`qmon-agent check-config`: is the configuration right, and where does each value come from."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import click
import msgspec

from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json
from qmon_agent.settings import Locations, Settings


@click.command
@click.option("--show-origin", is_flag=True, help="Every value, and who gave it.")
@with_place
def command(*, show_origin: bool, place: Place) -> None:
    """Check the configuration without starting anything; exit code 3 names what is wrong."""
    # Building the plug-ins is the check of their sections.
    from qmon_agent.app.checking import load_plugins

    settings, _ = load_plugins(place.locations.config)
    file = str(place.locations.config or "")
    values = [*_values(place.locations, settings)]
    if place.json:
        shown = {"values": values} if show_origin else {}
        show_json({"version": 1, "ok": True, "file": file, **shown})
        return
    click.echo(f"ok: {file or 'no file, the defaults are in force'}")
    for value in values if show_origin else ():
        click.echo(f"{value['path']} = {value['value']!r}  ({value['origin']})")


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
