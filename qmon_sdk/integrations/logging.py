"""The standard library's `logging`: every line that a logger lets through, with its trace."""

from __future__ import annotations

from qmon_sdk.client import current
from qmon_sdk.lines import RANKS, pipe_closed, pipe_opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._watch import Watch


class LoggingIntegration:
    """Sees what loggers hand to their handlers, from the setting `log_level` on.

    No handler is added: with one at the root, `logging.basicConfig` would do nothing, and programs
    that configure no logging would stop to show their warnings.
    """

    errors_from = RANKS["error"]
    """From which number on the exception of a record is an error."""

    def install(self, watch: Watch) -> None:
        """Stand before the handlers of every logger, also of those that do not propagate."""
        from logging import Logger

        from qmon_sdk.logging_bridge import SOURCE, keep_record, number_of

        least, errors_from = RANKS[current().settings.log_level], self.errors_from

        def watched(call: Callable[..., Any]) -> Callable[..., Any]:
            def callHandlers(self: Any, record: Any) -> Any:  # noqa: N802 - its name
                if number_of(record) >= least:
                    keep_record(record, errors_from)
                return call(self, record)

            return callHandlers

        watch.wrap(Logger, "callHandlers", watched)
        pipe_opened(SOURCE)
        watch.undo_by(lambda: pipe_closed(SOURCE))
