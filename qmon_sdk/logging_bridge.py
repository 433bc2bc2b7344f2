"""What is written with the standard library's `logging`, kept as log lines and errors."""

from __future__ import annotations

import logging
from threading import local
from typing import TYPE_CHECKING, Any
from weakref import ref

from .client import current, failed, guarded
from .lines import RANKS, level_of, take_line
from .recorder.cells import position
from .rendering import label

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = "logging"
_OWN = frozenset({"qmon", "qmon_sdk"})
_OURS = ("trace_id", "span_id")  # of `TraceIds`; the line has them anyway
_MADE = vars(logging.makeLogRecord({}))
_STANDARD = frozenset({*_MADE, "message", "asctime", "taskName", *_OURS})
_PLAIN = len(_MADE)  # attributes of a record to which nobody has added any
_PLACES = tuple(f"arg.{number}" for number in range(10))
_here = local()


class LoggingHandler(logging.Handler):
    """Keeps every record as a log line, and its exception as an error unless it was kept already.

    `logging.getLogger().addHandler(LoggingHandler())`. It takes no lock, writes nowhere but to
    memory, and leaves alone what qmon itself causes to be logged. A record that several of these
    handlers see, or the integration `logging` as well, is kept once.
    """

    def handle(self, record: logging.LogRecord) -> bool:
        """Keep a record that the filters let through; without the lock that others hold here."""
        if not self.filter(record):
            return False
        keep_record(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        keep_record(record)


class TraceIds(logging.Filter):
    """Gives records `trace_id`, `span_id` and `service`, for formatters that want to show them.

    A filter, to be added to a handler; it lets everything through. Outside of a span, and before
    `init`, the texts are empty.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Say where the record was written."""
        record.trace_id = record.span_id = record.service = ""
        self._say(record)
        return True

    @staticmethod
    @guarded
    def _say(record: logging.LogRecord) -> None:
        client = current()
        if client.recording:
            record.trace_id, record.span_id = position()
            record.service = client.settings.service


def keep_record(record: logging.LogRecord, errors_from: int = RANKS["error"]) -> None:
    """Keep a record, unless it is qmon's own, was kept by this thread just now, or never ends."""
    client = current()
    if not client.recording or is_own(str(record.name)):
        return
    if getattr(_here, "busy", False):  # a value of it logs while it is written, or a signal struck
        client.ledger.captured("log")
        client.ledger.dropped("log", "reentrant")
        return
    _here.busy = True
    try:
        kept = getattr(_here, "kept", None)
        if kept is None or kept() is not record:
            _here.kept = ref(record)
            _keep(client, record, errors_from)
    except Exception as error:  # noqa: BLE001 - the guard
        failed("LoggingHandler", error)
    finally:
        _here.busy = False


def is_own(name: str) -> bool:
    """Say whether a logger is one of qmon's."""
    return name.partition(".")[0] in _OWN


def _keep(client: Any, record: logging.LogRecord, errors_from: int) -> None:
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    said = (
        int(record.created * 1_000_000) * 1000,  # a double holds no more
        level_of(number_of(record)),
        text_of(record),
        label(record.msg),
        label(record.name),
    )
    attributes = _attributes(client, record)
    take_line(client, SOURCE, said, attributes=attributes, error=error, errors_from=errors_from)


def number_of(record: logging.LogRecord) -> int:
    """Return a record's level; those that are made by hand may have none."""
    number: object = record.levelno
    return number if isinstance(number, int) else 0


def text_of(record: logging.LogRecord) -> str:
    """Fill in the template; one that its values do not fit is still a line."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a wrong template, or the values' own code
        return label(record.msg)


def _attributes(client: Any, record: logging.LogRecord) -> dict[str, Any]:
    """Take what the call added by `extra`, the values of the template, and where it stands."""
    fields = vars(record)
    attributes: dict[str, Any] = {
        "code.function.name": record.funcName,
        "code.file.path": record.pathname,
        "code.line.number": str(record.lineno),
    }
    if record.stack_info:
        attributes["code.stacktrace"] = record.stack_info
    if record.args:
        attributes |= _values_of(record.args)
    if len(fields) > _PLAIN:
        extra = extra_of(record)
        if extra.get("service") == client.settings.service:
            del extra["service"]
        attributes |= extra
    return attributes


def extra_of(record: logging.LogRecord) -> dict[str, Any]:
    """Take what the call added by `extra`."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _values_of(args: Any) -> Mapping[str, Any]:
    if isinstance(args, tuple):
        return {_place(number): value for number, value in enumerate(args)}
    return args if isinstance(args, dict) else {}


def _place(number: int) -> str:
    return _PLACES[number] if number < len(_PLACES) else f"arg.{number}"
