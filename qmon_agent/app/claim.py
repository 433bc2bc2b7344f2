"""One agent per state directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from qmon_agent.domain.errors import QmonError


class AlreadyRunningError(QmonError):
    """Another agent owns this state directory."""

    exit_code = 3

    def __init__(self, directory: Path, pid: str) -> None:
        self.directory = directory
        self.pid = pid
        who = f"process {pid}" if pid else "another agent"
        super().__init__(f"{directory} belongs to {who}, which is running; use another --state")


class Claim:
    """An exclusive lock on the state directory, until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(self._descriptor, 32).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise AlreadyRunningError(path.parent, pid) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        # The file stays: removing it would let two agents lock two files of one name.
        os.close(self._descriptor)


def is_claimed(path: Path) -> bool:
    """Whether an agent is running on this state directory."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
