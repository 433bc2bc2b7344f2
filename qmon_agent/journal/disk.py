"""The few things the journal asks of a disk, and the real one."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol, TypeVar

_Answer = TypeVar("_Answer")
Mode = Literal["read", "write", "create"]

_FLAGS: dict[Mode, int] = {
    # Without O_NONBLOCK a pipe left under our name would stop us for ever.
    "read": os.O_RDONLY | os.O_NONBLOCK,
    "write": os.O_RDWR,
    "create": os.O_RDWR | os.O_CREAT | os.O_TRUNC,
}
# Darwin has no fdatasync in every build of Python; fsync is the same promise, dearer.
_sync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


class DiskFile(Protocol):
    """An open file. Writes and reads may be short; the callers below loop."""

    def write_at(self, data: bytes, offset: int, /) -> int: ...
    def read_at(self, size: int, offset: int, /) -> bytes: ...
    def size(self) -> int: ...
    def truncate(self, size: int, /) -> None: ...
    def sync(self) -> None: ...
    def close(self) -> None: ...


class Disk(Protocol):
    """Where a journal lives. All raise OSError; a name is durable after `sync_directory`."""

    def open(self, path: Path, mode: Mode, /) -> DiskFile: ...
    def list(self, directory: Path, /) -> list[str]: ...
    def make_directory(self, path: Path, /) -> None: ...
    def rename(self, old: Path, new: Path, /) -> None: ...
    def unlink(self, path: Path, /) -> None: ...
    def sync_directory(self, path: Path, /) -> None: ...
    def free(self, path: Path, /) -> int: ...
    def lock(self, path: Path, /) -> Callable[[], None]:
        """Take the one writer's place, and answer how to leave it; BlockingIOError if taken."""


class OsDisk:
    """The operating system's files."""

    def open(self, path: Path, mode: Mode, /) -> OsFile:
        descriptor = os.open(path, _FLAGS[mode] | os.O_CLOEXEC, 0o600)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return OsFile(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        # A directory opens for reading, and only then says that it is none of ours.
        os.close(descriptor)
        raise IsADirectoryError(errno.EISDIR, "not a regular file", str(path))

    def list(self, directory: Path, /) -> list[str]:
        return os.listdir(directory)  # noqa: PTH208 -- names are what we need

    def make_directory(self, path: Path, /) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def rename(self, old: Path, new: Path, /) -> None:
        old.rename(new)

    def unlink(self, path: Path, /) -> None:
        path.unlink()

    def sync_directory(self, path: Path, /) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free(self, path: Path, /) -> int:
        room = os.statvfs(path)
        return room.f_bavail * room.f_frsize

    def lock(self, path: Path, /) -> Callable[[], None]:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        return lambda: os.close(descriptor)


class OsFile:
    """One file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write_at(self, data: bytes, offset: int, /) -> int:
        return os.pwrite(self._descriptor, data, offset)

    def read_at(self, size: int, offset: int, /) -> bytes:
        return os.pread(self._descriptor, size, offset)

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def truncate(self, size: int, /) -> None:
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        if sys.platform == "darwin":  # there fsync leaves the data in the drive's cache
            fcntl.fcntl(self._descriptor, fcntl.F_FULLFSYNC)
        else:
            _sync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


def patiently(action: Callable[[], _Answer], *, tries: int = 3) -> _Answer:
    """Ask so many times before a disk error is taken for an answer; a missing file is one."""
    for _ in range(tries - 1):
        try:
            return action()
        except (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError):
            raise
        except OSError:
            continue
    return action()


def write_all(file: DiskFile, data: bytes, offset: int) -> None:
    """Write every byte: a full disk answers with a short write first and an error only then."""
    written = file.write_at(data, offset)
    while written < len(data):
        more = file.write_at(data[written:], offset + written)
        if more <= 0:
            raise OSError(errno.EIO, "the disk takes nothing and says nothing")
        written += more


def read_all(disk: Disk, path: Path, *, limit: int) -> bytes:
    """The whole of a small file; more than `limit` is nobody's small file, and cut."""
    file = disk.open(path, "read")
    try:
        parts: list[bytes] = []
        offset = 0
        while offset < limit and (part := file.read_at(limit - offset, offset)):
            parts.append(part)
            offset += len(part)
        return b"".join(parts)
    finally:
        file.close()


def replace_file(disk: Disk, path: Path, data: bytes) -> None:
    """Put `data` under a name so that a reader, whatever happens, finds the old or the new."""
    draft = path.with_name(path.name + ".tmp")
    file = disk.open(draft, "create")
    try:
        write_all(file, data, 0)
        file.sync()
    finally:
        file.close()
    disk.rename(draft, path)
    disk.sync_directory(path.parent)
