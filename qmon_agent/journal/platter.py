"""What a simulated disk holds: the cache one sees, the platter that survives, the way between."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

_SECTOR = 512


class Inode:
    """A file's bytes. A change is (offset, data), or (size, None): truncated."""

    def __init__(self) -> None:
        self.cache = bytearray()
        self.durable = bytearray()
        self.pending: list[tuple[int, bytes | None]] = []

    def write(self, data: bytes, offset: int) -> None:
        _apply(self.cache, offset, data)
        self.pending.append((offset, data))

    def truncate(self, size: int) -> None:
        _apply(self.cache, size, None)
        self.pending.append((size, None))

    def sync(self) -> None:
        for at, data in self.pending:
            _apply(self.durable, at, data)
        self.pending.clear()

    def fail_sync(self, random: Random) -> None:
        """Some of it is on the platter, all of it is called clean."""
        self._land_some(random)

    def cut_power(self, random: Random) -> None:
        self._land_some(random)
        self.cache = bytearray(self.durable)

    def _land_some(self, random: Random) -> None:
        for at, data in self.pending:
            fate = random.choice(("lost", "kept", "torn", "holes"))
            if fate == "kept" or (fate != "lost" and data is None):
                _apply(self.durable, at, data)
            elif fate == "torn" and data:
                _apply(self.durable, at, data[: random.randrange(len(data))])
            elif fate == "holes" and data:
                self._land_sectors(random, at, data)
        self.pending.clear()

    def _land_sectors(self, random: Random, at: int, data: bytes) -> None:
        for start in range(0, len(data), _SECTOR):
            if random.random() < 0.5:  # noqa: PLR2004 -- a coin
                _apply(self.durable, at + start, data[start : start + _SECTOR])


def _apply(content: bytearray, at: int, data: bytes | None) -> None:
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    if data is None:
        del content[at:]
    else:
        content[at : at + len(data)] = data


Change = Callable[[dict[Path, Inode]], object]


class Names:
    """Directories: names are seen at once and durable when their directory is synced."""

    def __init__(self) -> None:
        self.files: dict[Path, Inode] = {}
        self._durable: dict[Path, Inode] = {}
        self._directories: set[Path] = {Path("/")}
        self._pending: list[tuple[frozenset[Path], Change]] = []

    def open(self, path: Path, *, create: bool) -> Inode:
        if path in self._directories:
            raise _error(errno.EISDIR, path)
        if path.parent not in self._directories:
            raise _error(errno.ENOENT, path)
        inode = self.files.get(path)
        if inode is None:
            if not create:
                raise _error(errno.ENOENT, path)
            inode = Inode()
            self._change((path,), lambda files, inode=inode: files.__setitem__(path, inode))  # type: ignore[misc]
        elif create:
            inode.truncate(0)
        return inode

    def list(self, directory: Path) -> list[str]:
        if directory in self.files:
            raise _error(errno.ENOTDIR, directory)
        if directory not in self._directories:
            raise _error(errno.ENOENT, directory)
        everything = [*self.files, *self._directories]
        return [path.name for path in everything if path.parent == directory and path.name]

    def make_directory(self, path: Path) -> None:
        for one in (path, *path.parents):
            if one in self.files:
                raise _error(errno.EEXIST if one == path else errno.ENOTDIR, one)
        self._directories.update((path, *path.parents))

    def rename(self, old: Path, new: Path) -> None:
        if new.parent not in self._directories or old not in (*self.files, *self._directories):
            raise _error(errno.ENOENT, old)
        if new in self._directories:
            raise _error(errno.EISDIR, new)
        if old in self._directories:
            self._directories.remove(old)
            self._directories.add(new)
            return
        self._change((old, new), lambda files: files.update({new: files.pop(old)}))

    def unlink(self, path: Path) -> None:
        if path in self._directories:
            raise _error(errno.EISDIR, path)
        if path not in self.files:
            raise _error(errno.ENOENT, path)
        self._change((path,), lambda files: files.pop(path, None))

    def sync(self, directory: Path) -> None:
        left: list[tuple[frozenset[Path], Change]] = []
        for directories, change in self._pending:
            if directory in directories:
                _do(change, self._durable)
            else:
                left.append((directories, change))
        self._pending = left

    def cut_power(self, random: Random) -> None:
        """Names land in the order they were made, as far as they come."""
        landed = random.randrange(len(self._pending) + 1)
        for _, change in self._pending[:landed]:
            _do(change, self._durable)
        self._pending.clear()
        self.files = dict(self._durable)
        for inode in {id(inode): inode for inode in self.files.values()}.values():
            inode.cut_power(random)

    def put(self, path: Path, content: bytes) -> None:
        self.make_directory(path.parent)
        inode = Inode()
        inode.cache, inode.durable = bytearray(content), bytearray(content)
        self.files[path] = self._durable[path] = inode

    def used(self) -> int:
        return sum(len(inode.cache) for inode in self.files.values())

    def _change(self, paths: tuple[Path, ...], change: Change) -> None:
        change(self.files)
        self._pending.append((frozenset(path.parent for path in paths), change))


def _do(change: Change, files: dict[Path, Inode]) -> None:
    try:
        change(files)
    except KeyError:  # renamed from a name that never became durable
        return


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))
