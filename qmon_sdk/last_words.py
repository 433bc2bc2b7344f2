"""What the interpreter says when a signal kills it, written where the agent can read it afterwards.

`faulthandler` writes the stack of every thread into a file that was opened beforehand, from inside
the handler of the fatal signal. There is one such file to a process: an application that enabled
`faulthandler` itself, before us or after, keeps it.
"""

from __future__ import annotations

import os

from .client import guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

OURS, NOT_OURS, NOBODYS = "watching", "off: the application has enabled it", ""
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0)


class LastWords:
    """The one file, and whether fatal signals write into it."""

    def __init__(self) -> None:
        self.state = NOBODYS
        self._path = ""
        self._pid = 0
        self._file = -1
        self._enable: Callable[..., Any] | None = None  # the original, while ours is in its place

    def open(self, path: str) -> None:
        """Write to this file from now on; what was written to before stays as it is."""
        faulthandler = _faulthandler()
        if self.state != OURS and faulthandler.is_enabled():
            self.state = NOT_OURS
            return
        before, self._file = self._file, os.open(path, _FLAGS, 0o600)
        self._path, self._pid = path, os.getpid()
        if self._enable is None:  # to hear of an application that enables it later
            self._enable, faulthandler.enable = faulthandler.enable, self.taken_over
        self._enable(file=self._file, all_threads=True)
        self.state = OURS
        if before >= 0:
            os.close(before)

    def close(self) -> None:
        """Leave everything as it was found, without the file: who closes it has not died."""
        faulthandler = _faulthandler()
        if self.state == OURS:
            faulthandler.disable()
        if self._enable is not None and faulthandler.enable == self.taken_over:
            faulthandler.enable, self._enable = self._enable, None
        self.state = NOBODYS
        self._let_go()

    def taken_over(self, *args: Any, **kwargs: Any) -> Any:
        """Stand in for `faulthandler.enable`, and let go of the file: the caller's is used now."""
        enable = self._enable or _faulthandler().enable
        done = enable(*args, **kwargs)
        if self.state == OURS:
            self.state = NOT_OURS
            self._let_go()
        return done

    def _let_go(self) -> None:
        if self._file < 0:
            return
        os.close(self._file)
        self._file = -1
        if self._pid != os.getpid():  # a fork's copy: the file is the parent's
            return
        try:
            os.unlink(self._path)
        except OSError:
            return  # whoever cleaned up was quicker


def _faulthandler() -> Any:
    import faulthandler

    return faulthandler


_words = LastWords()


@guarded
def open_last_words(path: str) -> None:
    """Have fatal signals write the stacks of all threads to `path`, unless the application does.

    A forked child calls it again with a path of its own: the file it inherits is its parent's.
    """
    _words.open(path)


@guarded
def close_last_words() -> None:
    """Write nothing any more, and delete the file; `shutdown` calls it."""
    _words.close()


def state_of_last_words() -> str:
    """Say how it is, for `stats()`; "" when nobody asked for any."""
    return _words.state
