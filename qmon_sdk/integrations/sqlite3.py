"""SQLite by `sqlite3`: statements, commits, rollbacks and connections are spans.

Its classes are of C and cannot be patched, so connections opened while qmon watches are of
subclasses: of `sqlite3.Connection`, or of the `factory` that the application names.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._watch import Watch


class Sqlite3Integration:
    """Watches connections from their opening on."""

    def install(self, watch: Watch) -> None:
        """Stand before `connect`, in its modules and where somebody has imported it from there."""
        import sqlite3.dbapi2

        from . import _sqlite3_classes as classes

        for module in _holders_of(sqlite3.dbapi2.connect):
            watch.wrap(module, "connect", classes.connecting)
        classes.watching.on()
        watch.undo_by(classes.watching.off)


def _holders_of(connect: object) -> list[ModuleType]:
    """Find the modules that have it by its name; that of C, where new imports begin, is let be."""
    return [
        module
        for name, module in list(sys.modules.items())
        if type(module) is ModuleType
        and vars(module).get("connect") is connect
        and name != "_sqlite3"
    ]
