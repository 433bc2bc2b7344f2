"""Rings that nobody will come for any more: the next process that has one takes them away.

By the flusher's thread, a second after the process began to record: neither `init` nor a call of
the application waits for it. A ring goes only under the lock by which an agent claims one, so never
while an agent reads it; and not before its process has been silent for a good while.
"""

from __future__ import annotations

import os
from time import time_ns

from qmon_sdk.client import noted
from qmon_sdk.protocol import flight
from qmon_sdk.protocol.flight import FAULT_SUFFIX, SAMPLE, SUFFIX, WORD

from .leftovers import is_ours

QUIET_S = 3600
"""So long a ring is left for an agent, whatever else lies there."""
OLDEST_S = 7 * 24 * 3600
"""A ring whose process gave its last sign of life so long ago is nobody's business any more."""
MOST_BYTES = 64 << 20
"""Of the rings in one folder that are left, whoever they are for: beyond it, the oldest go."""


class NobodyCameError(Exception):
    """A ring was given up, with what its process had not handed over."""


def expire(folder: str, *, now: float | None = None) -> int:
    """Take away what has been left in a folder for too long; returns how many rings."""
    now = time_ns() / 1e9 if now is None else now
    left = sorted(_left_in(folder, now))
    total, gone = flight.SIZE * len(left), 0
    for seen, path in left:
        if total <= MOST_BYTES and now - seen < OLDEST_S:
            break
        if _removed(path):
            total, gone = total - flight.SIZE, gone + 1
            noted("flight rings left behind", NobodyCameError(path))
    return gone


def _left_in(folder: str, now: float) -> list[tuple[float, str]]:
    """Find rings without an owner, and when those were last seen."""
    found = []
    try:
        names = os.listdir(folder)
    except OSError:  # rings are in private memory here
        return []
    for name in names:
        path = f"{folder}/{name}"
        if name.endswith(SUFFIX) and not is_ours(path) and now - _changed(path) > QUIET_S:
            seen = _last_sign(path)
            if now - seen > QUIET_S:
                found.append((seen, path))
    return found


def _changed(path: str) -> float:
    try:
        return os.lstat(path).st_ctime
    except OSError:
        return float("inf")  # an agent has just taken it


def _last_sign(path: str) -> float:
    """Say when a process last wrote its sample; endless for one that lives, or may do so."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            head = os.pread(descriptor, flight.HEAD_BYTES, 0).ljust(flight.HEAD_BYTES, b"\0")
        finally:
            os.close(descriptor)
    except OSError:
        return float("inf")
    if _lives(*(WORD.unpack_from(head, at)[0] for at in (flight.PID, flight.STARTED))):
        return float("inf")
    ends = flight.SAMPLES_AT + flight.SAMPLES * SAMPLE.size
    times: list[int] = [at for at, *_ in SAMPLE.iter_unpack(head[flight.SAMPLES_AT : ends])]
    return max(max(times) / 1e9, _changed(path))


def _lives(pid: int, started: int) -> bool:
    """Say whether a process of this number began at that tick: it may have lost its lock."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return int(file.read().rpartition(")")[2].split()[19]) == started
    except (OSError, ValueError, IndexError):
        return False


def _removed(path: str) -> bool:
    """Remove a ring as an agent would: locked, and still the one of this name."""
    from fcntl import LOCK_EX, LOCK_NB, lockf

    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        lockf(descriptor, LOCK_EX | LOCK_NB)
        here, held = os.lstat(path), os.fstat(descriptor)
        if (here.st_dev, here.st_ino) != (held.st_dev, held.st_ino):
            return False
        _unlink(path.removesuffix(SUFFIX) + FAULT_SUFFIX)
        os.unlink(path)
    except OSError:  # somebody has it, or has just taken it
        return False
    finally:
        os.close(descriptor)
    return True


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
