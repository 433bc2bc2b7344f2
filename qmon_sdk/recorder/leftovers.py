"""Rings that no agent has come for: they wait for one, but within bounds, as they are memory."""

from __future__ import annotations

import os
import sys
from struct import Struct, calcsize

from qmon_sdk.protocol.flight import SUFFIX

MOST = 32
"""Rings of ended processes, in one folder and for one agent, beside which no more are made."""

_FLOCK = Struct("hhqqi4x")  # of 64-bit Linux: type, whence, start, length, pid
_KNOWS_FLOCK = sys.platform == "linux" and calcsize("P") == 8  # noqa: PLR2004 - bytes of a pointer
_ours: set[str] = set()  # closing a descriptor of its own ring would cost this process its lock


def remember(path: str) -> None:
    """Note a ring of this process, which is not to be looked at here."""
    _ours.add(path)


def is_ours(path: str) -> bool:
    """Say whether this process made it, or the one it was forked from."""
    return path in _ours


def is_crowded(path: str) -> bool:
    """Say whether the place of a new ring is full of those that no agent has taken."""
    folder, name = os.path.split(path)
    agent = name[: name.index(".") + 1]
    rings = [
        each for each in os.listdir(folder) if each.startswith(agent) and each.endswith(SUFFIX)
    ]
    if len(rings) <= MOST or not _KNOWS_FLOCK:
        return False
    left = 0
    for ring in rings:
        left += f"{folder}/{ring}" not in _ours and not _is_in_use(f"{folder}/{ring}")
        if left >= MOST:
            return True
    return False


def _is_in_use(path: str) -> bool:
    """Say whether a living process has a lock on it, without trying for one."""
    from fcntl import F_GETLK, F_UNLCK, F_WRLCK, fcntl

    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return True  # an agent has just taken it, or it is somebody else's
    try:
        asked = _FLOCK.pack(F_WRLCK, os.SEEK_SET, 0, 0, 0)
        return bool(_FLOCK.unpack(fcntl(descriptor, F_GETLK, asked))[0] != F_UNLCK)
    finally:
        os.close(descriptor)
