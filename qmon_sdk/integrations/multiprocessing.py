"""`multiprocessing`: what ends a child is an error, of which the interpreter's hooks hear nothing.

Only of children that have a client: those that are forked, and those whose main module calls
`init` when it is imported.
"""

from __future__ import annotations

import sys

from ._process import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._watch import Watch


class MultiprocessingIntegration:
    """Looks at what a child ends by when the package is about to print it.

    For that it asks for the child's name. A wrapper around what the child runs would be a frame of
    ours in the traceback.
    """

    def install(self, watch: Watch) -> None:
        """Stand in for the name of processes."""
        from multiprocessing.process import BaseProcess

        process = Process()
        before: Any = vars(BaseProcess)["name"]
        printing = BaseProcess._bootstrap.__code__  # type: ignore[attr-defined]  # noqa: SLF001 - to be compared only

        def name(self: BaseProcess) -> Any:
            if sys._getframe(1).f_code is printing:  # noqa: SLF001 - there is no other way to it
                process.ends_by(sys.exception())
            return before.fget(self)

        named: Any = property(name, before.fset, before.fdel, before.__doc__)
        BaseProcess.name = named
        watch.undo_by(lambda: _put_back(BaseProcess, named, before))
        watch.undo_by(process.leave)


def _put_back(kind: Any, ours: Any, before: Any) -> None:
    if vars(kind)["name"] is ours:
        kind.name = before
