"""A disk in memory that does to a journal what real ones do, on demand and by a seed."""

from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from .disk import DiskFile, Mode
from .platter import Inode, Names

_PLENTY = 1 << 40


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What happens instead of an operation.

    `error`: OSError of that number. `short`: half of it is done. `kill`: the process ends before
    it, the system lives on. `power`: the power fails in the middle of it.
    """

    kind: Literal["error", "short", "kill", "power"]
    errno: int = errno.EIO
    times: int = 1


class ProcessKilledError(BaseException):
    """The simulated end of the process; nothing in it may catch this."""


class SimulatedDisk:
    """Obeys the promises a disk makes and no others.

    What was not synced may be lost, torn or kept, in any order; after a failed sync the cache
    shows what the platter lacks and calls it clean; names are durable by `sync_directory` only.
    Faults strike the thread that armed them.
    """

    def __init__(self, *, seed: int = 0, capacity: int = _PLENTY) -> None:
        self.random = random.Random(seed)
        self.capacity = capacity
        # Of the thread that armed a fault, or asked by `watch` to be counted.
        self.operations = 0
        self.trace: list[str] = []
        self._names = Names()
        self._locks: set[Path] = set()
        self._gate = threading.RLock()
        self._plan: list[tuple[int, Fault]] = []
        self._victim = 0

    def arm(self, fault: Fault, *, after: int = 0) -> None:
        """Strike at the operation `after` others from now, or from the fault armed before."""
        self._plan.append((after, fault))
        self._victim = threading.get_ident()

    def watch(self) -> None:
        """Count this thread's operations from here."""
        self.operations, self._victim = 0, threading.get_ident()

    def disarm(self) -> None:
        self._plan.clear()

    def kill(self) -> None:
        """The process is gone: its locks with it; the cache of the system stays."""
        self._locks.clear()
        self.disarm()

    def cut_power(self) -> None:
        """What was not synced is lost, torn or kept."""
        self.kill()
        self._names.cut_power(self.random)

    def files(self) -> dict[Path, bytes]:
        """What a reader sees now."""
        return {path: bytes(inode.cache) for path, inode in self._names.files.items()}

    def put(self, path: Path, content: bytes) -> None:
        """Set a file as if it had always been so: for damage by hand."""
        self._names.put(path, content)

    def open(self, path: Path, mode: Mode, /) -> DiskFile:
        with self._gate:
            self._strike("open", path)
            return SimulatedFile(self, self._names.open(path, create=mode == "create"), path)

    def list(self, directory: Path, /) -> list[str]:
        with self._gate:
            self._strike("list", directory)
            return self._names.list(directory)

    def make_directory(self, path: Path, /) -> None:
        with self._gate:
            self._strike("make_directory", path)
            self._names.make_directory(path)

    def rename(self, old: Path, new: Path, /) -> None:
        with self._gate:
            self._strike("rename", old, lambda: self._names.rename(old, new))
            self._names.rename(old, new)

    def unlink(self, path: Path, /) -> None:
        with self._gate:
            self._strike("unlink", path, lambda: self._names.unlink(path))
            self._names.unlink(path)

    def sync_directory(self, path: Path, /) -> None:
        with self._gate:
            self._strike("sync_directory", path)
            self._names.sync(path)

    def free(self, path: Path, /) -> int:
        with self._gate:
            self._strike("free", path)
            return max(0, self.capacity - self._names.used())

    def lock(self, path: Path, /) -> Callable[[], None]:
        with self._gate:
            self._strike("lock", path)
            if path in self._locks:
                raise BlockingIOError(errno.EWOULDBLOCK, "locked")
            self._locks.add(path)
            return lambda: self._locks.discard(path)

    def _room(self) -> int:
        return max(0, self.capacity - self._names.used())

    def _strike(self, operation: str, path: Path, half: Callable[[], object] | None = None) -> bool:
        """Do the armed fault, if it is its time; True: do half of the operation."""
        if threading.get_ident() != self._victim:
            return False
        self.operations += 1
        fault = self._due()
        if fault is None:
            return False
        self.trace.append(f"{fault.kind} at {operation} {path.name}")
        if fault.kind == "error":
            raise OSError(fault.errno, os.strerror(fault.errno), str(path))
        if fault.kind == "short":
            return True
        self._end(fault, half)
        return False

    def _due(self) -> Fault | None:
        if not self._plan:
            return None
        fuse, fault = self._plan[0]
        if fuse > 0:
            self._plan[0] = (fuse - 1, fault)
            return None
        if fault.times > 1:
            self._plan[0] = (0, msgspec.structs.replace(fault, times=fault.times - 1))
        else:
            del self._plan[0]
        return fault

    def _end(self, fault: Fault, half: Callable[[], object] | None) -> None:
        if fault.kind == "power":
            if half is not None and self.random.random() < 0.5:  # noqa: PLR2004 -- a coin
                half()
            self.cut_power()
        self.kill()
        raise ProcessKilledError


class SimulatedFile:
    """An open file of a simulated disk."""

    def __init__(self, disk: SimulatedDisk, inode: Inode, path: Path) -> None:
        self._disk = disk
        self._inode = inode
        self._path = path

    def write_at(self, data: bytes, offset: int, /) -> int:
        with self._disk._gate:  # noqa: SLF001 -- the file is a part of its disk
            half = self._strike("write", lambda: self._inode.write(data, offset))
            wanted = max(1, len(data) // 2) if half else len(data)
            grows = max(0, offset + wanted - len(self._inode.cache))
            room = self._disk._room()  # noqa: SLF001
            taken = wanted - max(0, grows - room)
            if taken <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
            self._inode.write(data[:taken], offset)
            return taken

    def read_at(self, size: int, offset: int, /) -> bytes:
        with self._disk._gate:  # noqa: SLF001
            half = self._strike("read", None)
            wanted = max(1, size // 2) if half else size
            return bytes(self._inode.cache[offset : offset + wanted])

    def size(self) -> int:
        with self._disk._gate:  # noqa: SLF001
            self._strike("size", None)
            return len(self._inode.cache)

    def truncate(self, size: int, /) -> None:
        with self._disk._gate:  # noqa: SLF001
            self._strike("truncate", lambda: self._inode.truncate(size))
            self._inode.truncate(size)

    def sync(self) -> None:
        with self._disk._gate:  # noqa: SLF001
            try:
                self._strike("sync", None)
            except OSError:
                self._inode.fail_sync(self._disk.random)
                raise
            self._inode.sync()

    def close(self) -> None:
        """Closing promises nothing, so nothing can go wrong with it."""

    def _strike(self, operation: str, half: Callable[[], object] | None) -> bool:
        return self._disk._strike(operation, self._path, half)  # noqa: SLF001
