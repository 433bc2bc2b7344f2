"""What is written with the standard library's `logging`, kept as log lines and errors."""

from __future__ import annotations

import logging
from threading import local
from typing import Any

from .capture import capture_exception
from .client import current, failed
from .logs import MAX_NAME, keep
from .protocol.signals import Log
from .recorder.cells import position
from .rendering import label

LEVELS = ((50, "fatal"), (40, "error"), (30, "warn"), (20, "info"), (10, "debug"), (0, "trace"))
_OWN = "qmon"
_STANDARD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})


class LoggingHandler(logging.Handler):
    """Keeps every record as a log line, and its exception as an error unless it was kept already.

    `logging.getLogger().addHandler(LoggingHandler())`. It takes no lock, writes nowhere but to
    memory, and leaves alone what qmon itself causes to be logged.
    """

    def __init__(self, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        self._here = local()

    def handle(self, record: logging.LogRecord) -> bool:
        """Keep a record that the filters let through; without the lock that others hold here."""
        if not self.filter(record) or getattr(self._here, "busy", False):
            return False
        self._here.busy = True
        try:
            self.emit(record)
        except Exception as error:  # noqa: BLE001 - the guard
            failed("LoggingHandler", error)
        finally:
            self._here.busy = False
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        client = current()
        if not client.recording or record.name.partition(".")[0] in {_OWN, "qmon_sdk"}:
            return
        level = next(name for least, name in LEVELS if record.levelno >= least)
        attributes = _attributes(record)
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            attributes["exception.type"] = type(error).__qualname__
            if error_id := capture_exception(error, level=level):
                attributes["error_id"] = error_id
        trace_id, span_id = position()
        scrubber = client.scrubber
        line = Log(
            time=int(record.created * 1_000_000) * 1000,  # a double holds no more
            level=level,
            body=scrubber.text(record.getMessage()),
            template=scrubber.word(label(record.msg)),
            logger=label(record.name, MAX_NAME),
            trace_id=trace_id,
            span_id=span_id,
            attributes=scrubber.labels(attributes),
        )
        keep(client, line)  # type: ignore[arg-type]


def _attributes(record: logging.LogRecord) -> dict[str, Any]:
    """Take what the call added by `extra`, the values of the template, and where it stands."""
    fields = vars(record)
    attributes = {key: value for key, value in fields.items() if key not in _STANDARD}
    if isinstance(record.args, dict):
        attributes |= record.args
    elif record.args:
        attributes |= {f"arg.{place}": value for place, value in enumerate(record.args)}
    attributes["code.function.name"] = record.funcName
    attributes["code.file.path"] = record.pathname
    attributes["code.line.number"] = record.lineno
    return attributes
