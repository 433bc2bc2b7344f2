"""Warnings that the program shows are log lines: where, of which category, and not too often."""

from __future__ import annotations

import sys
from time import monotonic, time_ns

from qmon_sdk.anatomy import message_of
from qmon_sdk.client import current, guarded
from qmon_sdk.grouping import template_of
from qmon_sdk.lines import take_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._watch import Watch

LOGGER = "py.warnings"
"""As `logging.captureWarnings` calls it."""
EACH_S = 60.0
"""A place is kept once in so many seconds, whatever the program's filters let through."""
PER_SECOND = 20
_PLACES = 1000
_MAX_MESSAGE = 2048


class WarningsIntegration:
    """Sees what is shown, and nothing that is recorded or turned into an error."""

    def install(self, watch: Watch) -> None:
        """Stand where the interpreter and the module itself hand over a warning to be shown."""
        import warnings

        seeing = _Seeing(warnings)
        watch.wrap(warnings, "_showwarnmsg", seeing.watched)


class _Seeing:
    """What was seen lately, so that one place does not speak all the time."""

    def __init__(self, warnings: Any) -> None:
        self._warnings = warnings
        self._shows = warnings._showwarnmsg_impl  # noqa: SLF001 - `catch_warnings` puts a list there
        self._last: dict[tuple[str, str, int], float] = {}
        self._second = 0
        self._this_second = 0

    def watched(self, show: Callable[..., Any]) -> Callable[..., Any]:
        def showwarnmsg(message: Any) -> Any:
            self._see(message)
            return show(message)

        return showwarnmsg

    @guarded
    def _see(self, warning: Any) -> None:
        client = current()
        if not client.recording or self._is_for_others(client):
            return
        category = warning.category.__qualname__
        if not self._is_new(category, warning.filename, warning.lineno):
            client.ledger.captured("log")
            client.ledger.dropped("log", "repeated_warning")
            return
        body = f"{category}: {message_of(warning.message, _MAX_MESSAGE)}"
        attributes = {
            "warning.category": category,
            "code.file.path": warning.filename,
            "code.line.number": warning.lineno,
        }
        said = (time_ns(), "warn", body, template_of(body), LOGGER)
        take_line(client, "warnings", said, attributes=attributes)  # type: ignore[arg-type]

    def _is_for_others(self, client: Any) -> bool:
        """Say whether it goes into a list, or by `logging.captureWarnings` to where we see it."""
        if self._warnings._showwarnmsg_impl is not self._shows:  # noqa: SLF001 - see above
            return True
        logging = sys.modules.get("logging")
        if logging is None or self._warnings.showwarning is not logging._showwarning:  # noqa: SLF001 - there is no asking
            return False
        return str(client.integrations.get("logging")) == "watching"

    def _is_new(self, category: str, file: str, line: int) -> bool:
        now, place = monotonic(), (category, file, line)
        last = self._last.get(place)
        if last is not None and now - last < EACH_S:
            return False
        if int(now) != self._second:
            self._second, self._this_second = int(now), 0
        self._this_second += 1
        if self._this_second > PER_SECOND:
            return False
        while len(self._last) >= _PLACES:
            self._last.pop(next(iter(self._last)), None)
        self._last[place] = now
        return True
