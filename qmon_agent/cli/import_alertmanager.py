"""`qmon-agent import-alertmanager`: its configuration as a part of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json
from qmon_agent.domain.errors import ConfigError


@click.command
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_place
def command(*, file: Path, place: Place) -> int:
    """Print `[routing]` and `[channels]` made of an Alertmanager configuration.

    What cannot be taken over is told beside it, with the reason; then the exit code is 1.
    """
    from qmon_agent.alerting.importing import import_config, to_toml

    imported = import_config(_read(file))
    if place.json:
        show_json({"version": 1, "toml": to_toml(imported), **msgspec.to_builtins(imported)})
    else:
        click.echo(to_toml(imported), nl=False)
        for left in imported.left:
            click.echo(f"not imported: {left.path}: {left.reason}", err=True)
    return int(bool(imported.left))


def _read(file: Path) -> dict[str, Any]:
    try:
        import yaml
    except ImportError:
        raise ConfigError("", "YAML is read by PyYAML: pip install 'qmon[alertmanager]'") from None
    try:
        found = yaml.load(file.read_bytes(), _loader())  # noqa: S506 - it is the safe one
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        raise ConfigError("", f"{file}: not YAML: {problem}") from None
    if not isinstance(found, dict):
        raise ConfigError("", f"{file}: not a table")
    return found


def _loader() -> Any:
    """The safe one; to YAML 1.1 `17:30` is a number of minutes, but not to Alertmanager."""
    import yaml

    def number(loader: Any, node: Any) -> Any:
        return node.value if ":" in node.value else loader.construct_yaml_int(node)

    loader: Any = type("Loader", (yaml.SafeLoader,), {})
    loader.add_constructor("tag:yaml.org,2002:int", number)
    return loader
