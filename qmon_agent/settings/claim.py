"""One agent per state directory."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from pathlib import Path

from qmon_agent.domain.errors import ConfigError, QmonError, StoreError

# Whoever only looks whether an agent runs holds the lock for an instant.
_TRIES = 5
_PAUSE_S = 0.02


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
        try:
            _make_private(path.parent)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            reason = f"{problem.filename}: {problem.strerror}"
            raise ConfigError("--state", f"cannot be the state directory: {reason}") from None
        if not _locked(self._descriptor):
            pid = os.read(self._descriptor, 32).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise AlreadyRunningError(path.parent, pid)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        # The file stays: removing it would let two agents lock two files of one name.
        os.close(self._descriptor)


def is_claimed(path: Path) -> bool:
    """Whether an agent is running on this state directory."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        raise StoreError(f"{path.parent} may not be read by this user") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _make_private(directory: Path) -> None:
    """What people did is in there: for its owner only, also where it was made wider before."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = directory.stat()
    wider = stat.S_IMODE(found.st_mode) & 0o077
    # A sticky directory, as /tmp, is everybody's on purpose.
    if wider and found.st_uid == os.getuid() and not found.st_mode & stat.S_ISVTX:
        directory.chmod(stat.S_IMODE(found.st_mode) & 0o700)


def _locked(descriptor: int) -> bool:
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_S)
        else:
            return True
    return False
