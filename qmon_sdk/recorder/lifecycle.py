"""What the recorder does when its process forks or ends: hooked once, for whoever records then.

Fork. Before it the flush gate is taken, so that no copy is made of a half-done flush; in the child
everything that could be shared or held is replaced, never repaired. A fork that tells nobody, as
uWSGI's can be, is noticed by the pid at the next flush.

Exit. A plain `atexit` is late enough and early enough: the interpreter has joined every thread of
the program by then, executors' included, and still runs our Python. Children of `multiprocessing`
end by `os._exit`, past `atexit`, so they get a finalizer of that package. `os._exit` itself is left
alone: what must survive it was sent before the call returned.
"""

from __future__ import annotations

import atexit
import os
import sys
from time import monotonic

from qmon_sdk.client import current, guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_S = 0.02
"""Seconds to wait for acknowledgements at exit; the rest of the promised 50 ms is for the spool."""

_AFTER_EVERYBODY = -100  # the priority among `multiprocessing`'s finalizers
_hooked: set[str] = set()


def hook() -> None:
    """Follow this process from now on; more than once is once."""
    if _hooked:
        return
    _hooked.add("fork")
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_fork,
            after_in_parent=_after_fork_in_parent,
            after_in_child=_after_fork_in_child,
        )
    atexit.register(_at_exit)
    _join_multiprocessing()


@guarded
def _before_fork() -> None:
    if recorder := current().recorder:
        recorder.before_fork()


@guarded
def _after_fork_in_parent() -> None:
    if recorder := current().recorder:
        recorder.after_fork_in_parent()


@guarded
def _after_fork_in_child() -> None:
    if recorder := current().recorder:
        recorder.after_fork_in_child()
    _join_multiprocessing()


@guarded
def _at_exit() -> None:
    if recorder := current().recorder:
        if sessions := sys.modules.get("qmon_sdk.sessions"):
            sessions.end_all()
        recorder.at_exit(monotonic() + EXIT_S, is_last=True)


def _join_multiprocessing() -> None:
    """Be told when a child of that package ends; does nothing if nobody imported it."""
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return
    if "multiprocessing" not in _hooked:
        _hooked.add("multiprocessing")
        # A child first forgets its parent's finalizers, then calls what is registered here.
        util.register_after_fork(_at_exit, _finish_with_multiprocessing)
    if sys.modules["multiprocessing.process"].parent_process() is not None:
        _finish_with_multiprocessing(_at_exit)


def _finish_with_multiprocessing(finish: Callable[[], object]) -> None:
    from multiprocessing.util import Finalize

    Finalize(None, finish, exitpriority=_AFTER_EVERYBODY)
