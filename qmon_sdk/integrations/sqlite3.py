"""SQLite by `sqlite3`: statements, commits, rollbacks and connections are spans.

Its classes are of C and cannot be patched, so connections opened while qmon watches are of
subclasses: of `sqlite3.Connection`, or of the `factory` that the application names.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._watch import Watch


class Sqlite3Integration:
    """Watches connections from their opening on."""

    def install(self, watch: Watch) -> None:
        """Stand before `connect`, under both of its names."""
        import sqlite3.dbapi2

        from . import _sqlite3_classes as classes

        for module in (sqlite3, sqlite3.dbapi2):
            watch.wrap(module, "connect", classes.connecting)
        classes.watching.on()
        watch.undo_by(classes.watching.off)
