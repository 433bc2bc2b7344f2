"""Where rings may lie, and which files there may be believed: only what their user alone wrote."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from qmon_sdk.protocol.flight import SUFFIX, agent_of, folder_of

_SHARED = Path("/dev/shm")  # noqa: S108 - every folder in it is checked before it is believed
_OURS = "qmon-"
# Nobody has more processes; beyond it somebody wants to keep us busy.
_MOST_FILES = 20_000


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of rings, and whose rings in it are ours: all of them without a prefix."""

    path: Path
    prefixes: tuple[str, ...] = ()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A ring by where it is: the name begins with the agent it is for."""

    folder: Path
    name: str

    @property
    def path(self) -> Path:
        return self.folder / self.name


class UntrustedError(OSError):
    """Something is there that its user alone could not have put there."""


def folders_for(socket: Path, extra: tuple[str, ...]) -> list[Folder]:
    """Where rings for the agent at this socket are: its user's place, and everybody's for root."""
    prefixes = tuple(dict.fromkeys(agent_of(spelling) for spelling in _spellings(socket)))
    usual = {Path(folder_of(str(socket), os.getuid())), socket.parent / "flight"}
    if os.geteuid() == 0:
        usual.update(_SHARED / name for name in _names_in(_SHARED) if name.startswith(_OURS))
    return [
        *(Folder(path=path, prefixes=prefixes) for path in sorted(usual)),
        *(Folder(path=Path(path)) for path in extra),
    ]


def rings_in(folder: Folder) -> Iterator[Found]:
    """The rings in a folder that are for us; none where there is no such folder."""
    for name in _names_in(folder.path):
        agent, _, rest = name.partition(".")
        if rest.endswith(SUFFIX) and (agent in folder.prefixes or not folder.prefixes):
            yield Found(folder=folder.path, name=name)


def open_folder(path: Path) -> int:
    """A descriptor of the folder itself, never of what a link leads to; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        said = path.name.removeprefix(_OURS)
        if path.parent == _SHARED and said.isdigit() and int(said) != status.st_uid:
            raise UntrustedError(f"{path} belongs to user {status.st_uid}")
        if os.geteuid() != 0 and status.st_uid != os.geteuid():
            raise UntrustedError(f"{path} belongs to user {status.st_uid}")
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise UntrustedError(f"others than its user may write to {path}")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_file(name: str, folder: int, *, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a plain file that belongs to the folder's user; raises OSError."""
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=folder)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise UntrustedError(f"{name} is no plain file")
    if status.st_uid != os.fstat(folder).st_uid:
        os.close(descriptor)
        raise UntrustedError(f"{name} belongs to user {status.st_uid}")
    return descriptor


def _spellings(socket: Path) -> Iterator[str]:
    """How applications may have named the socket: a ring's name is made of what they said."""
    yield str(socket)
    resolved = str(socket.resolve())
    yield resolved
    for short, long in (("/run/", "/var/run/"), ("/var/run/", "/run/")):
        if resolved.startswith(short):
            yield long + resolved.removeprefix(short)


def _names_in(path: Path) -> Iterator[str]:
    try:
        with os.scandir(path) as entries:
            for entry in islice(entries, _MOST_FILES):
                yield entry.name
    except OSError:
        return
