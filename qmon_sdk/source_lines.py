"""Lines of source around a place in the code: read when needed, shown only when they fit."""

from __future__ import annotations

import sys
from time import time_ns

from .protocol.records import Record

# Not those of `os`: what watches event loops for calls that block would take ours for others'.
if sys.platform == "win32":
    from nt import O_BINARY as PLAINLY
    from nt import O_RDONLY, close, read, stat
    from nt import open as open_
else:
    from posix import O_CLOEXEC as PLAINLY
    from posix import O_RDONLY, close, read, stat
    from posix import open as open_

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

AROUND = 5  # lines before, and as many after
MAX_LINE = 200
_FILES = 64
_LARGEST = 2 << 20
_STARTED = time_ns()
_DECORATION = 10  # lines between where a function begins and where its name stands, at most


class Lines(Record):
    """The lines around one place."""

    before: tuple[str, ...] = ()
    line: str = ""
    after: tuple[str, ...] = ()


class _File(Record):
    version: tuple[int, int] = (0, 0)  # time of change and size
    lines: tuple[bytes, ...] = ()


NOTHING = Lines()
_ABSENT = _File()


class SourceLines:
    """The files that errors came from lately, within a bound."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}

    def around(self, code: CodeType, line: int, namespace: dict[str, Any]) -> Lines:
        """Find the lines around a line of `code`; `NOTHING` when they are not certain.

        A file that changed since the program started is believed only where it still names what the
        code is called: wrong lines are worse than none.
        """
        file = self._file(code.co_filename, namespace)
        if not 0 < line <= len(file.lines) or not _fits(code, file):
            return NOTHING
        first, here = max(line - 1 - AROUND, 0), line - 1
        return Lines(
            before=tuple(map(_shown, file.lines[first:here])),
            line=_shown(file.lines[here]),
            after=tuple(map(_shown, file.lines[line : line + AROUND])),
        )

    def _file(self, filename: str, namespace: dict[str, Any]) -> _File:
        version = _version(filename)
        file = self._files.get(filename)
        if file is None or file.version != version:
            source = _read(filename, version[1]) or _from_elsewhere(filename, namespace)
            # As bytes, and written as text when shown: most of a file never is.
            file = _File(version=version, lines=tuple(source.splitlines()))
            while len(self._files) >= _FILES:
                self._files.pop(next(iter(self._files)), None)
            self._files[filename] = file
        return file


def _fits(code: CodeType, file: _File) -> bool:
    if file.version[0] <= _STARTED or not code.co_name.isidentifier():
        return True
    first, name = code.co_firstlineno - 1, code.co_name.encode("utf-8", "replace")
    return any(name in line for line in file.lines[first : first + _DECORATION])


def _shown(line: bytes) -> str:
    return line.decode("utf-8", "replace")[:MAX_LINE]


def _version(filename: str) -> tuple[int, int]:
    try:
        about = stat(filename)
    except (OSError, ValueError):
        return 0, 0
    return about.st_mtime_ns, about.st_size


def _read(filename: str, size: int) -> bytes:
    if not 0 < size <= _LARGEST:
        return b""
    try:
        # A file object would cost twice as much as all that is read by it.
        descriptor = open_(filename, O_RDONLY | PLAINLY)
    except OSError:
        return b""
    try:
        return read(descriptor, size)
    except OSError:
        return b""
    finally:
        close(descriptor)


def _from_elsewhere(filename: str, namespace: dict[str, Any]) -> bytes:
    """Read what is no file: a cell of a notebook, a module in an archive."""
    try:
        import linecache  # asked last, and loaded then

        text = "".join(linecache.getlines(filename, namespace))
        return text.encode("utf-8", "replace")
    except Exception:  # noqa: BLE001 - a loader of the application's, or no file left to open
        return b""
