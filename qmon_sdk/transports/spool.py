"""Files that wait for the agent: where frames go while nobody answers."""

from __future__ import annotations

import errno
import fcntl
import os
from time import monotonic

from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import decode_frame
from qmon_sdk.protocol.spooled import ROTATE_BYTES, SUFFIX, files, frames_of, lock, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# A full disk is not asked again at every frame.
_PAUSE_S = 5.0
# How many names are tried when readers are quick enough to take a file between two system calls.
_TRIES = 5


class Spool:
    """A process's own spool files in a directory it may share with others, bounded in total bytes.

    Written by one thread. A message is one `write`, so it is in the page cache, beyond the reach of
    a `kill -9`, before the call returns. `close` ends the current file, which lets an agent take
    it (`protocol.spooled.taken`); writing again begins the next. When the directory would outgrow
    its bound, the oldest finished file goes, and `on_drop` hears of what kind and how many rows.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        process: bytes,
        max_bytes: int,
        *,
        on_drop: Callable[[str, int], None] = lambda _kind, _rows: None,
    ) -> None:
        self.trouble = ""
        self.written = 0
        self.refused = 0
        self.dropped = 0
        self._directory = os.fspath(directory)
        self._process = process.hex()
        self._max_bytes = max_bytes
        self._on_drop = on_drop
        self._number = 0
        self._descriptor: int | None = None
        self._size = 0
        self._paused_until = 0.0

    def write(self, message: bytes) -> bool:
        """Append one prefixed frame; False = not kept, and `trouble` says why."""
        if self._paused_until and monotonic() < self._paused_until:
            self.refused += 1
            return False
        try:
            self._append(message)
        except OSError as error:
            self._refuse(error)
            return False
        self.written += 1
        self.trouble = ""
        return True

    def close(self) -> None:
        """End the current file; safe in a forked child: the parent keeps its lock."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _append(self, message: bytes) -> None:
        if self._descriptor is None or self._size + len(message) > ROTATE_BYTES:
            self.close()
            self._make_room(max(ROTATE_BYTES, len(message)))
            self._descriptor = self._begin()
            self._size = 0
        written = os.write(self._descriptor, message)
        if written < len(message):
            # The disk filled up in the middle: leave no torn frame for later ones to hide behind.
            os.ftruncate(self._descriptor, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += written

    def _begin(self) -> int:
        """Create the next file and lock it; a reader may be faster and take the empty file away."""
        # Each level by itself: of several made at once, only the last would be private.
        os.makedirs(os.path.dirname(os.path.abspath(self._directory)), mode=0o700, exist_ok=True)
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        for _ in range(_TRIES):
            self._number += 1
            path = f"{self._directory}/{self._process}-{self._number}{SUFFIX}"
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
            if _is_ours(descriptor):
                return descriptor
            os.close(descriptor)
        raise OSError(errno.EBUSY, "readers take each new file away")

    def _make_room(self, wanted: int) -> None:
        """Delete the oldest finished files until `wanted` more bytes stay within the bound."""
        found = files(self._directory)
        excess = sum(size for _, size in found) + wanted - self._max_bytes
        for path, size in found:
            if excess <= 0:
                return
            if self._drop(path):
                excess -= size
        if excess > 0:
            raise OSError(errno.ENOSPC, f"the spool has reached its {self._max_bytes} bytes")

    def _drop(self, path: str) -> bool:
        """Delete one file if nobody writes or reads it, and tell what was in it."""
        descriptor = lock(path)
        if descriptor is None:
            return False
        try:
            frames = _frames_in(descriptor)
            os.unlink(path)
        finally:
            os.close(descriptor)
        self.dropped += len(frames)
        for frame in frames:
            self._tell(frame)
        return True

    def _tell(self, frame: bytes) -> None:
        """Say what is lost with a frame, as far as it can be read."""
        try:
            blocks = decode_frame(frame).blocks
        except WireError:
            return
        for block in blocks:
            self._on_drop(block.kind, block.rows)

    def _refuse(self, error: OSError) -> None:
        self.refused += 1
        self.trouble = f"spool {self._directory}: {error.strerror or error}"
        self._paused_until = monotonic() + _PAUSE_S
        self.close()


def _frames_in(descriptor: int) -> list[bytes]:
    """As far as the disk reads: what makes room for newer frames is not counted then."""
    try:
        return frames_of(read(descriptor))
    except OSError:
        return []


def _is_ours(descriptor: int) -> bool:
    """Lock a file just created, unless a reader has it or has already deleted it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0
