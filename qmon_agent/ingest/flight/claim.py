"""Taking a ring: one agent at a time, and only one whose process has let go of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import sys
import time

from qmon_sdk.protocol.flight import FAULT_SUFFIX, SIZE, SUFFIX

from .faults import MAX_BYTES
from .folders import Found, open_file, open_folder

# `struct flock` of 64-bit Linux: type, whence, start, length, pid.
_FLOCK = struct.Struct("hhqqi4x")
_KNOWS_FLOCK = sys.platform == "linux" and struct.calcsize("P") == 8  # noqa: PLR2004 - bytes of a pointer


class Claim:
    """A ring that nobody else has, with what is in it. All of it is called on one thread.

    Any descriptor of a file that a process closes costs it its lock there: while there is a claim,
    nothing else in this agent opens its file.
    """

    def __init__(self, found: Found, folder: int, ring: int) -> None:
        self.found = found
        self._folder = folder
        self._ring = ring
        self.data = os.pread(ring, SIZE, 0)
        self.fault = self._read_fault()

    @property
    def process(self) -> str:
        """The process that the file's name stands for, in hexadecimal."""
        return self.found.name.split(".")[1]

    def remove(self) -> None:
        """Take the files away, the ring last: until then another agent would do all of it again."""
        for name in (self._fault_name, self.found.name):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._folder)

    def release(self) -> None:
        os.close(self._ring)
        os.close(self._folder)

    @property
    def _fault_name(self) -> str:
        return self.found.name.removesuffix(SUFFIX) + FAULT_SUFFIX

    def _read_fault(self) -> bytes:
        try:
            descriptor = open_file(self._fault_name, self._folder)
        except OSError:
            return b""
        try:
            return os.pread(descriptor, MAX_BYTES, 0)
        except OSError:
            return b""
        finally:
            os.close(descriptor)


class Glance:
    """The first bytes of a ring, and whether its process still holds on to it."""

    def __init__(self, found: Found) -> None:
        """Raises OSError for a file that is not there, or not to be trusted."""
        folder = open_folder(found.folder)
        try:
            ring = open_file(found.name, folder, flags=os.O_RDWR)
        finally:
            os.close(folder)
        try:
            status = os.fstat(ring)
            self.size = status.st_size
            self.age_s = time.time() - max(status.st_mtime, status.st_ctime)
            self.head = os.pread(ring, 256, 0)
            self.is_locked = _is_locked(ring)
        finally:
            os.close(ring)


def claim(found: Found) -> Claim | None:
    """The ring, locked and still the one of this name; nothing, if somebody else was quicker."""
    try:
        folder = open_folder(found.folder)
    except OSError:
        return None
    ring = -1
    try:
        ring = open_file(found.name, folder, flags=os.O_RDWR)
        fcntl.lockf(ring, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another agent may have taken it and gone while we waited for its descriptor.
        here = os.stat(found.name, dir_fd=folder, follow_symlinks=False)
        if (here.st_dev, here.st_ino) == _identity(ring):
            return Claim(found, folder, ring)
    except OSError:
        pass
    if ring >= 0:
        os.close(ring)
    os.close(folder)
    return None


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _is_locked(ring: int) -> bool:
    """Whether anybody has a lock on it; asked without taking it: its maker may be about to."""
    if not _KNOWS_FLOCK:
        return _is_locked_elsewhere(ring)
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, *_ = _FLOCK.unpack(fcntl.fcntl(ring, fcntl.F_GETLK, asked))
    return bool(kind != fcntl.F_UNLCK)


def _is_locked_elsewhere(ring: int) -> bool:
    try:
        fcntl.lockf(ring, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    fcntl.lockf(ring, fcntl.LOCK_UN)
    return False
