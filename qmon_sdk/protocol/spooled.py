"""The spool's files as both sides see them: `<process hex>-<n>.frames`, prefixed frames end to end.

A writer holds an exclusive `flock` as long as it may still append, so a free lock means that the
file is finished: its writer closed it, or is dead.
"""

from __future__ import annotations

import fcntl
import os

from .errors import WireError
from .frames import MAX_FRAME_BYTES, split_messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX = ".frames"
ROTATE_BYTES = 1 << 20
_PREFIX_BYTES = 4
# A file is closed once it is past the rotation size, so one whole message may lie beyond it.
_LARGEST_FILE = ROTATE_BYTES + MAX_FRAME_BYTES + _PREFIX_BYTES


def taken(directory: str | os.PathLike[str]) -> Iterator[tuple[str, list[bytes]]]:
    """Yield each finished file, oldest first, as its path and its frames without length prefix.

    The file stays locked until the next step of the iteration, so no other reader takes it too.
    Delete it before then, once its frames are safe; a file left alone is yielded again next time.
    Raises OSError behind the last one, where the disk did not read some of them.
    """
    trouble = None
    for path, _ in files(directory):
        descriptor = lock(path)
        if descriptor is None:
            continue
        try:
            yield path, frames_of(read(descriptor))
        except OSError as error:
            trouble = error
        finally:
            os.close(descriptor)
    if trouble is not None:
        raise trouble


def files(directory: str | os.PathLike[str]) -> list[tuple[str, int]]:
    """Every spool file's path and size, oldest first; a directory that is not there holds none."""
    found: list[tuple[int, str, int]] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    found.append((status.st_mtime_ns, entry.path, status.st_size))
    except OSError:
        pass  # not there, or gone while we looked: what was seen until now still counts
    return [(path, size) for _, path, size in sorted(found)]


def frames_of(content: bytes) -> list[bytes]:
    """Cut prefixed frames apart, up to a tear: a frame cut short, or an impossible length."""
    frames: list[bytes] = []
    try:
        for frame in split_messages(content):
            if not frame:
                break  # a tail of zeros, as some file systems leave after a power cut
            frames.append(frame)
    except WireError:
        return frames
    return frames


def lock(path: str) -> int | None:
    """Open and lock a finished file, or answer None: still written, taken by another, or gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:  # 0: another reader took and deleted it as we opened it
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def read(descriptor: int) -> bytes:
    """Read the file whole, within the size that a writer can have given it; raises OSError."""
    pieces, room = [], _LARGEST_FILE
    while room > 0 and (piece := os.read(descriptor, room)):
        pieces.append(piece)
        room -= len(piece)
    return b"".join(pieces)
