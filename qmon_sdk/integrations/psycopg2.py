"""PostgreSQL by `psycopg2`: statements, copies, commits, rollbacks and connections are spans.

Its classes are of C and cannot be patched, so connections opened while qmon watches are of
subclasses: of psycopg2's, or of the factories that the application names.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._watch import Watch


class Psycopg2Integration:
    """Watches connections from their opening on."""

    def install(self, watch: Watch) -> None:
        """Stand before what `connect` calls: whoever imported `connect` by name is watched too."""
        import psycopg2

        from . import _psycopg2_classes as classes

        watch.wrap(psycopg2, "_connect", classes.connecting)
        classes.watching.on()
        watch.undo_by(classes.watching.off)
