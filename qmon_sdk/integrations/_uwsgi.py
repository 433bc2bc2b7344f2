"""uWSGI forks behind Python's back: its own hook is where a worker learns that it is one.

No file of this folder's kind, since nobody can import `uwsgi` but a program inside of it.
"""

from __future__ import annotations

import os
import sys

from qmon_sdk.client import current, guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._watch import Watch

NAME = "uwsgi"
_HOOK, _DECORATORS = "post_fork_hook", "uwsgidecorators"


class UwsgiForks:
    """Follows the forks of the master process into its workers."""

    def install(self, watch: Watch) -> None:
        """Take the hook, and a place in the list of those who take it from us."""
        watch.when_imported(NAME, _take_hook)
        watch.when_imported(_DECORATORS, _join_chain)


def _take_hook(watch: Watch) -> None:
    _follow()  # applications that are loaded lazily are loaded after the fork
    uwsgi: Any = sys.modules[NAME]
    before = getattr(uwsgi, _HOOK, None)

    def forked() -> None:
        _follow()
        if before is not None:
            before()

    setattr(uwsgi, _HOOK, forked)
    watch.undo_by(lambda: setattr(uwsgi, _HOOK, before or _nothing))


def _join_chain(watch: Watch) -> None:
    chain: list[Any] = sys.modules[_DECORATORS].postfork_chain
    chain.insert(0, _follow)
    watch.undo_by(lambda: chain.remove(_follow))


def _nothing() -> None:
    """Stand where uWSGI calls whatever it finds."""


@guarded
def _follow() -> None:
    client = current()
    if client.recording and client.recorder.pid != os.getpid():  # type: ignore[union-attr]
        client.after_fork_in_child()  # type: ignore[union-attr]
