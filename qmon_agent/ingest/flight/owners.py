"""Whether the process that a ring belongs to still is, as `/proc` tells."""

from __future__ import annotations

import enum
import os
from pathlib import Path

import msgspec

_PROC = Path("/proc")


class Owner(enum.Enum):
    """What has become of a ring's process."""

    ALIVE = "alive"
    LEAVING = "leaving"
    """On its way out: in a moment there is more to know."""
    REPLACED = "replaced"
    """Still there, but another program runs in it: it called `exec`."""
    GONE = "gone"


class ProcessFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What `/proc/PID/stat` says."""

    state: str
    started: int
    """In clock ticks since the machine started."""
    status: int
    """Of a zombie: how it ended, as `wait` tells it; 0 where we may not know."""


def owner_of(pid: int, started: int, ring: str) -> Owner:
    """What became of a process that has let go of its lock on a ring of this name.

    Closing any descriptor of the file lets go of the lock, as a daemon's sweep through all of them
    does; only who has no longer mapped the ring has left it.
    """
    facts = facts_of(pid)
    if facts is None or (started and facts.started != started) or facts.state in "ZX":
        return Owner.GONE
    try:
        maps = (_PROC / str(pid) / "maps").read_bytes()
    except PermissionError:
        return Owner.ALIVE
    except OSError:
        return Owner.LEAVING
    if not maps:
        return Owner.LEAVING
    return Owner.ALIVE if os.fsencode(ring) in maps else Owner.REPLACED


def facts_of(pid: int) -> ProcessFacts | None:
    """What is known about a process; nothing for one that is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text("latin-1")
    except OSError:
        return None
    # The name in brackets may hold anything, brackets and spaces too.
    fields = text.rpartition(")")[2].split()
    try:
        return ProcessFacts(state=fields[0], started=int(fields[19]), status=int(fields[49]))
    except (IndexError, ValueError):
        return None


def may_see(pid: int) -> bool:
    """Whether `/proc` tells us all about a process: to others it says 0 instead of its status."""
    try:
        return os.geteuid() in {0, (_PROC / str(pid)).stat().st_uid}
    except OSError:
        return False


def pid_namespace(pid: int | str = "self") -> int:
    """The namespace in which a process has its pid; 0 where that is not told."""
    try:
        return (_PROC / str(pid) / "ns" / "pid").stat().st_ino
    except OSError:
        return 0


def pid_inside(pid: int) -> int:
    """What a process takes for its own pid, in its innermost namespace; 0 where it is gone."""
    try:
        text = (_PROC / str(pid) / "status").read_text("latin-1")
    except OSError:
        return 0
    _, found, rest = text.partition("\nNSpid:")
    words = rest.partition("\n")[0].split()
    return int(words[-1]) if found and words else pid
