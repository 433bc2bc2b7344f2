"""Log lines with a template and values, tied to the trace they were written in."""

from __future__ import annotations

from .capture import capture_exception
from .client import current, failed
from .protocol.signals import NO_LABELS, Log
from .recorder.cells import position
from .rendering import is_trusted, label

__all__ = ["Logger", "LoggingHandler", "log"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .client import Client
    from .logging_bridge import LoggingHandler

MAX_NAME = 255


class Logger:
    """Writes lines: `log.info("paid {amount}", amount=3)`.

    Lines are grouped by their template; the keywords are kept as attributes, and the line shows
    them in their places. Kept in memory until the next flush, 0.25 s later at most.
    """

    __slots__ = ("_attributes", "_name")

    def __init__(self, name: str = "", attributes: Mapping[str, Any] | None = None) -> None:
        self._name = label(name, MAX_NAME)
        self._attributes = dict(attributes or {})

    def named(self, name: str) -> Logger:
        """Make one that says who is speaking."""
        return Logger(name, self._attributes)

    def bind(self, **attributes: Any) -> Logger:
        """Make one whose every line has these attributes too."""
        return Logger(self._name, {**self._attributes, **attributes})

    def trace(self, template: str, /, **attributes: Any) -> None:
        """Write what only a very close look needs."""
        self._write("trace", template, attributes)

    def debug(self, template: str, /, **attributes: Any) -> None:
        """Write what helps to find a fault."""
        self._write("debug", template, attributes)

    def info(self, template: str, /, **attributes: Any) -> None:
        """Write what went as it should."""
        self._write("info", template, attributes)

    def warn(self, template: str, /, **attributes: Any) -> None:
        """Write what may become a trouble."""
        self._write("warn", template, attributes)

    def error(self, template: str, /, **attributes: Any) -> None:
        """Write what failed."""
        self._write("error", template, attributes)

    def fatal(self, template: str, /, **attributes: Any) -> None:
        """Write what ends the program."""
        self._write("fatal", template, attributes)

    def exception(self, template: str, /, **attributes: Any) -> None:
        """Write what failed, and keep the exception being handled unless it was kept already."""
        if error_id := capture_exception():
            attributes["error_id"] = error_id
        self._write("error", template, attributes)

    warning, critical = warn, fatal

    def _write(self, level: str, template: str, attributes: dict[str, Any]) -> None:
        client = current()
        if not client.recording:
            return
        try:
            if self._attributes:
                attributes = {**self._attributes, **attributes}
            trace_id, span_id = position()
            scrubber = client.scrubber
            # In the order of its fields: to name all of them costs as much as to scrub them.
            row = (
                client.now(), level, scrubber.text(_filled(template, attributes)),
                scrubber.word(template), self._name, trace_id, span_id,
                scrubber.labels(attributes) if attributes else NO_LABELS,
            )  # fmt: skip
            keep(client, tuple.__new__(Log, row))  # type: ignore[arg-type, type-var]
        except Exception as error:  # noqa: BLE001 - the guard, without the price of a wrapper
            failed("log", error)


log = Logger()


def keep(client: Client, line: Log) -> None:
    """Buffer a line, once the application's hook has seen it."""
    hook = client.settings.before_send_log
    seen: Log | None = line
    if hook is not None:
        from .screening import screened

        seen = screened(hook, line, client.ledger)
    if seen is not None:
        client.recorder.keep(seen)


_SPEAK_FOR_THEMSELVES = frozenset({str, int, float, bool, type(None), complex})


def _shown(value: Any) -> Any:
    """Let only such values write themselves as do not run somebody's code for it."""
    kind = type(value)
    return value if kind in _SPEAK_FOR_THEMSELVES or is_trusted(kind) else label(value)


def _filled(template: str, attributes: Mapping[str, Any]) -> str:
    """Put the values in their places; a template that does not fit them is shown as it is."""
    if "{" not in template:
        return template
    if not _SPEAK_FOR_THEMSELVES.issuperset(map(type, attributes.values())):
        attributes = {name: _shown(value) for name, value in attributes.items()}
    try:
        return template.format_map(attributes)
    except Exception:  # noqa: BLE001 - a value's own `__format__`, or a brace that means a brace
        return template


if not TYPE_CHECKING:

    def LoggingHandler(level: int | str = 0) -> Any:  # noqa: N802 - it is a class, loaded late
        """Make a handler for `logging`, which is imported only by those who use it."""
        from .logging_bridge import LoggingHandler as Handler

        return Handler(level)
