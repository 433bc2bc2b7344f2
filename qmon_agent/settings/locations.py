"""Where the state, the socket and the configuration file are when nobody says so."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

DEFAULT = "default"
USUAL_SOCKET = "agent.sock"
CONTROL = "control.sock"


class Locations(msgspec.Struct, frozen=True, kw_only=True):
    """The places one agent lives in, and who named each of them."""

    state: Path
    socket: Path
    config: Path | None
    origins: dict[str, str] = {}

    @property
    def control(self) -> Path:
        """The socket of the command line: beside the data socket, for its owner only."""
        usual = self.socket.name == USUAL_SOCKET
        name = CONTROL if usual else f"{self.socket.stem}.{CONTROL}"
        return self.socket.with_name(name)

    def is_said(self, name: str) -> bool:
        """Whether somebody named this place, by an option or in the environment."""
        return self.origins.get(name, DEFAULT) != DEFAULT

    def with_file(self) -> Locations:
        """The same places, with the configuration file looked for again where there was none."""
        found = self.config or _usual_config(self.state)
        return msgspec.structs.replace(self, config=found)

    @property
    def spool(self) -> Path:
        return self.state / "spool"

    @property
    def journal(self) -> Path:
        return self.state / "journal"

    @property
    def arrivals(self) -> Path:
        """Where what comes in waits for the processors, when there are any."""
        return self.state / "arrivals"

    @property
    def policies(self) -> Path:
        """Which processors what waits there is for."""
        return self.state / "processors.json"

    @property
    def conservation(self) -> Path:
        return self.state / "conservation.json"

    @property
    def whereabouts(self) -> Path:
        """Where a running agent writes down its sockets and its URL."""
        return self.state / "agent.json"

    @property
    def hung(self) -> Path:
        """Where the watchdog writes which loop hangs, for when nobody answers."""
        return self.state / "hung.json"

    @property
    def links(self) -> Path:
        """The keys that sign the links of messages."""
        return self.state / "links.json"

    @property
    def lock(self) -> Path:
        return self.state / "agent.lock"


def find_locations(
    *,
    state: str | None = None,
    config: str | None = None,
    socket: str | None = None,
    environ: Mapping[str, str] = os.environ,
    uid: int | None = None,
) -> Locations:
    """Options first, then the environment, then the place usual for this user."""
    root = (os.getuid() if uid is None else uid) == 0
    directory, state_origin = _chosen(
        (state, "option --state"),
        (environ.get("QMON_STATE_DIR"), "environment QMON_STATE_DIR"),
        (_default_state(environ, root=root), "default"),
    )
    path, socket_origin = _chosen(
        (socket, "option --socket"),
        (environ.get("QMON_SOCKET"), "environment QMON_SOCKET"),
        (_default_socket(environ, directory, root=root), "default"),
    )
    file, config_origin = _chosen(
        (config, "option --config"),
        (environ.get("QMON_CONFIG"), "environment QMON_CONFIG"),
        (os.fspath(_usual_config(Path(directory)) or ""), "default"),
    )
    return Locations(
        state=Path(directory).absolute(),
        socket=Path(path).absolute(),
        config=Path(file).absolute() if file else None,
        origins={"state": state_origin, "socket": socket_origin, "config": config_origin},
    )


def _chosen(*candidates: tuple[str | None, str]) -> tuple[str, str]:
    return next(((value, origin) for value, origin in candidates if value), ("", "default"))


def _default_state(environ: Mapping[str, str], *, root: bool) -> str:
    if root:
        return "/var/lib/qmon"
    if home := environ.get("XDG_STATE_HOME"):
        return f"{home}/qmon"
    return f"{environ.get('HOME') or Path.home()}/.local/state/qmon"


def _default_socket(environ: Mapping[str, str], state: str, *, root: bool) -> str:
    if root:
        return "/run/qmon/agent.sock"
    runtime = environ.get("XDG_RUNTIME_DIR")
    return f"{runtime}/qmon/agent.sock" if runtime else f"{state}/agent.sock"


def _usual_config(state: Path) -> Path | None:
    file = state / "qmon.toml"
    return file if file.exists() else None
