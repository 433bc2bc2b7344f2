"""Records of `logging` as Sentry takes them: steps from INFO on, events of their own from ERROR on.

Named as the integration whose place it takes: the lines are kept as ever.
"""

from __future__ import annotations

from fnmatch import fnmatch
from logging import ERROR, INFO, LogRecord
from sys import _getframe
from threading import local
from typing import TYPE_CHECKING, Any

from qmon_sdk import capture as native
from qmon_sdk.client import guarded
from qmon_sdk.integrations.logging import LoggingIntegration
from qmon_sdk.lines import level_of
from qmon_sdk.logging_bridge import extra_of, is_own, number_of, text_of
from qmon_sdk.rendering import label

from .bridge import HINT

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from qmon_sdk.integrations._watch import Watch

NEVER = 1 << 30
IGNORED = {"sentry_sdk.errors", "urllib3.connectionpool", "urllib3.connection"}
"""Loggers whose records are neither steps nor events; names may hold `*`."""

_NAMES = {"warn": "warning", "trace": "debug"}
_OURS = __file__.partition("compat")[0]
_LIBRARY = LogRecord.__init__.__code__.co_filename
_here = local()


class LoggingEvents(LoggingIntegration):
    """Keeps every line, as the integration `logging` does, and makes steps and events of some."""

    def __init__(self, level: int | None = INFO, event_level: int | None = ERROR) -> None:
        self.level = NEVER if level is None else level
        self.errors_from = NEVER if event_level is None else event_level

    def install(self, watch: Watch) -> None:
        """Stand where the lines are seen; an exception of a record is an error of its line."""
        from logging import Logger

        super().install(watch)

        def watched(call: Callable[..., Any]) -> Callable[..., Any]:
            def callHandlers(logger: Any, record: Any) -> Any:  # noqa: N802 - its name
                try:
                    return call(logger, record)
                finally:
                    if number_of(record) >= min(self.level, self.errors_from):
                        self._take(record)

            return callHandlers

        watch.wrap(Logger, "callHandlers", watched)

    @guarded
    def _take(self, record: LogRecord) -> None:
        name = str(record.name)
        is_ignored = is_own(name) or any(fnmatch(name.strip(), one) for one in IGNORED)
        if is_ignored or getattr(_here, "busy", False):  # a hook writes lines too
            return
        _here.busy = True
        token = HINT.set({"log_record": record})
        try:
            if number_of(record) >= self.errors_from and not _has_error(record):
                _tell(record)
            if number_of(record) >= self.level:
                _note(record)
        finally:
            HINT.reset(token)
            _here.busy = False


def _has_error(record: LogRecord) -> bool:
    return isinstance(record.exc_info, tuple) and record.exc_info[1] is not None


def _tell(record: LogRecord) -> None:
    """Make an event; those of one template of one logger belong together."""
    from .capture import saying

    error = native.Message(text_of(record)).with_traceback(native.trace_to(_caller()))
    group = ("logging", str(record.name), label(record.msg))
    with saying({"extras": extra_of(record)}):
        native.capture_exception(error, level=_level(record), fingerprint=group)


def _note(record: LogRecord) -> None:
    from .capture import add_breadcrumb

    crumb = {"type": "log", "level": _level(record), "category": str(record.name)}
    add_breadcrumb(
        {**crumb, "message": text_of(record), "data": extra_of(record)}, {"log_record": record}
    )


def _level(record: LogRecord) -> str:
    name = level_of(number_of(record))
    return _NAMES.get(name, name)


def _caller() -> FrameType | None:
    """Find who wrote the line."""
    frame: FrameType | None = _getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((_OURS, _LIBRARY)):
        frame = frame.f_back
    return frame


def events_of(named: Any) -> LoggingEvents:
    """Make it of the options that Sentry's integration was given, if it was."""
    words = dict(zip(("level", "event_level"), getattr(named, "args", ()), strict=False))
    options = {**words, **getattr(named, "options", {})}
    return LoggingEvents(
        **{name: options[name] for name in ("level", "event_level") if name in options}
    )
