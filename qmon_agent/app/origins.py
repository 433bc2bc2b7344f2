"""Every option in force, what it is, and who said so."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qmon_agent.app.checking import Plugins
from qmon_agent.domain.plugins import options_of
from qmon_agent.notify.wording import plain
from qmon_agent.settings import Locations, Settings
from qmon_agent.settings.lines import flat, lines_of
from qmon_agent.settings.masking import masked

_VARIABLES = re.compile(r"\$\{(\w+)\}")
_DEFAULT = "default"
_PACES = ("interval_s", "timeout_s", "failures", "successes")


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One value; what is secret in it cannot be seen."""

    path: str
    value: Any
    origin: str
    line: int = 0
    """In the file, where it is said there."""


def options_in_force(locations: Locations, settings: Settings, plugins: Plugins) -> list[Option]:
    """Those of the agent, of every plug-in that runs, and all that the file says."""
    return [*_places(locations), *_said_and_not(locations, settings, plugins)]


def _places(locations: Locations) -> Iterator[Option]:
    for name in ("state", "socket", "config"):
        value = str(getattr(locations, name) or "")
        yield Option(path=name, value=value, origin=locations.origins[name])


def _said_and_not(locations: Locations, settings: Settings, plugins: Plugins) -> Iterator[Option]:
    text = locations.config.read_text("utf-8") if locations.config else ""
    written = dict(flat(tomllib.loads(text)))
    lines = lines_of(text)
    defaults = {**dict(flat(msgspec.to_builtins(settings))), **dict(_of_plugins(plugins))}
    for path in dict.fromkeys([*defaults, *written]):
        if path in written:
            line = lines.get(path, 0)
            # As it is written: a reference to a secret is shown, and never the secret.
            value, origin = masked(path, written[path]), f"{locations.config}:{line}"
            yield Option(path=path, value=value, origin=_beside(origin, written[path]), line=line)
        elif not _is_inside(path, written):
            yield Option(path=path, value=masked(path, defaults[path]), origin=_DEFAULT)


def _beside(origin: str, value: Any) -> str:
    """Who gave the value that the file only refers to."""
    text = value if isinstance(value, str) else ""
    if text.startswith("file:"):
        return f"{origin}, {text}"
    variables = ", ".join(f"environment variable {name}" for name in _VARIABLES.findall(text))
    return f"{origin}, {variables}" if variables else origin


def _is_inside(path: str, written: Mapping[str, Any]) -> bool:
    """Whether the file says the whole that this is a part of, or parts of this."""
    return any(
        path.startswith(f"{said}.") or said.startswith((f"{path}.", f"{path}[")) for said in written
    )


def _of_plugins(plugins: Plugins) -> Iterator[tuple[str, Any]]:
    kinds: dict[str, Mapping[str, Any]] = {
        "sources": plugins.sources,
        "sinks": plugins.sinks,
        "channels": {name: plain(each) for name, each in plugins.channels.items()},
        "samplers.options": plugins.samplers,
    }
    for kind, made in kinds.items():
        for name, plugin in made.items():
            yield from _fields(f"{kind}.{name}", plugin)
    for number, watched in enumerate(plugins.probes.values()):
        for name in _PACES:
            yield f"probes[{number}].{name}", getattr(watched, name)
        yield from _fields(f"probes[{number}]", watched.probe)


def _fields(path: str, plugin: Any) -> Iterator[tuple[str, Any]]:
    for name in options_of(type(plugin)):
        value = getattr(plugin, name, None)
        if value is None or isinstance(value, (str, int, float, bool, tuple, list, dict)):
            yield f"{path}.{name}", value
