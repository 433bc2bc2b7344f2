"""The configuration in force, how it came to be, and what a reload would change."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from qmon_agent.app.checking import Plugins
from qmon_agent.domain.errors import ConfigError
from qmon_agent.monitoring.probing import ProbeHealth
from qmon_agent.monitoring.sampling import SamplerHealth
from qmon_agent.notify.channels import Channel
from qmon_agent.notify.heartbeat import HeartbeatRunner
from qmon_agent.notify.wording import plain
from qmon_agent.settings import Locations, Settings

# What the agent stands on: read when it starts, and not again.
FIXED = ("http", "admission", "cardinality", "journal", "store", "retention")


class GoneError(ConfigError):
    """The file that is in force was taken away."""

    def __init__(self, file: Path) -> None:
        self.file = os.fspath(file)
        super().__init__("", "the file is gone; an empty one in its place means the defaults")


class LiveConfig:
    """The last good configuration; generation 1 is the one the agent started with."""

    def __init__(self, locations: Locations, settings: Settings, plugins: Plugins) -> None:
        self.settings = settings
        self.plugins = plugins
        self.health: Mapping[str, SamplerHealth] = {}
        self.probes: Mapping[str, ProbeHealth] = {}
        self.generation = 1
        self.error = ""
        self.needs_restart: tuple[str, ...] = ()
        self.changed: tuple[str, ...] = ()
        """What the last reload found other than it was: sections, and names in them."""
        self.heartbeat: HeartbeatRunner | None = None
        self._locations = locations
        self._read = self._stamp()

    @property
    def has_file(self) -> bool:
        return self._locations.config is not None

    def find_file(self) -> Path | None:
        """The file in force, or one that has come to the usual place where there was none.

        Raises GoneError when that in force is not there any more: no file is no wish for defaults.
        """
        file = self._locations.with_file().config
        if file is None:
            return None
        try:
            file.stat()
        except FileNotFoundError:
            raise GoneError(file) from None
        return file

    def take(self, settings: Settings, plugins: Plugins, *, file: Path | None) -> None:
        """This is in force from now on, as the file says."""
        self._locations = msgspec.structs.replace(self._locations, config=file)
        self.needs_restart = tuple(
            name for name in FIXED if getattr(settings, name) != getattr(self.settings, name)
        )
        self.changed = tuple(_changes(self.settings, settings))
        kept = {name: getattr(self.settings, name) for name in self.needs_restart}
        self.settings = _replaced(settings, kept)
        self.plugins = plugins
        self.generation += 1
        self.error = ""
        self._read = self._stamp()

    def refuse(self, error: str) -> None:
        """The file was read, and is wrong."""
        self.error = error
        self.changed = ()
        self._read = self._stamp()

    def outcome(self) -> dict[str, Any]:
        """What came of the last reload."""
        return {
            "reloaded": not self.error,
            "generation": self.generation,
            "changed": list(self.changed),
            "needs_restart": list(self.needs_restart),
            "problem": self.error,
        }

    def problems(self) -> Iterator[str]:
        if self.error:
            yield f"config: the file is wrong, the last good one is in force: {self.error}"
        if self.heartbeat is not None and self.heartbeat.error:
            yield f"heartbeat: {self.heartbeat.error}"

    def describe(self) -> dict[str, Any]:
        """What the status says of it, and of what follows it."""
        heartbeat = self.heartbeat.describe() if self.heartbeat is not None else {}
        return {
            "samplers": msgspec.to_builtins(dict(self.health)),
            "probes": msgspec.to_builtins(dict(self.probes)),
            "channels": {name: _kind_of(each) for name, each in self.plugins.channels.items()},
            "heartbeat": heartbeat,
            "config": {
                "file": os.fspath(self._locations.config or ""),
                "generation": self.generation,
                "error": self.error,
                "changed": self._stamp() != self._read,
                "needs_restart": list(self.needs_restart),
            },
        }

    def _stamp(self) -> tuple[int, int, int]:
        """What changes with the file; zeros where there is none that can be read."""
        try:
            file = self._locations.with_file().config
            found = None if file is None else file.stat()
        except OSError:
            found = None
        if found is None:
            return 0, 0, 0
        return found.st_mtime_ns, found.st_size, found.st_ino


def _kind_of(channel: Channel) -> str:
    return type(plain(channel)).__name__.removesuffix("Channel").lower()


def _changes(before: Settings, after: Settings) -> Iterator[str]:
    """Sections that are not what they were; of those with named tables, which of these."""
    for section in Settings.__struct_fields__:
        was, now = getattr(before, section), getattr(after, section)
        if was == now:
            continue
        if not isinstance(now, dict):
            yield section
            continue
        names = sorted({*was, *now})
        yield from (f"{section}.{name}" for name in names if was.get(name) != now.get(name))


def _replaced(settings: Settings, kept: Mapping[str, Any]) -> Settings:
    values = {name: getattr(settings, name) for name in settings.__struct_fields__}
    return Settings(**{**values, **kept})
