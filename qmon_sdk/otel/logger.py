"""OpenTelemetry's logger provider and loggers, on qmon's log lines."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import _logs as api
from opentelemetry.trace.propagation import get_current_span

from qmon_sdk.capture import capture_exception
from qmon_sdk.client import current, failed
from qmon_sdk.lines import has_passed, pipe_closed, pipe_opened
from qmon_sdk.logs import MAX_NAME, keep
from qmon_sdk.protocol.signals import Log
from qmon_sdk.recorder.cells import position
from qmon_sdk.rendering import label
from qmon_sdk.start import flush

from .context import take_over
from .resource import Resource, Scope
from .values import moment, snapshot, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from qmon_sdk.client import Client
    from qmon_sdk.scrub import Scrubber

SOURCE = "opentelemetry"
_LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
_A_LEVEL = 4  # severity numbers to a level
_OTHER_WORDS = {"warning": "warn", "critical": "fatal", "notset": "info"}


class LoggerProvider(api.LoggerProvider):
    """Gives loggers whose records qmon keeps; with no client in charge they go nowhere."""

    def __init__(self, *, resource: Any = None) -> None:
        take_over()  # records are of the open native span, too
        pipe_opened(SOURCE)
        self.resource = resource or Resource()
        self._is_open = True

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> api.Logger:
        """Return the logger of a library."""
        if not self._is_open:
            return api.NoOpLogger(name, version, schema_url, attributes)
        return Logger(name, version, schema_url, attributes)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send everything recorded so far; `False` if that takes longer."""
        return flush(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Give no further loggers, and send what there is; qmon's client goes on."""
        if self._is_open:
            self._is_open = False
            pipe_closed(SOURCE)
            flush()


class Logger(api.Logger):
    """Keeps records as log lines, tied to the span they belong to."""

    def __init__(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> None:
        super().__init__(name, version, schema_url, attributes)
        self._labels = Scope(None, version).labels()

    def emit(self, record: Any = None, **told: Any) -> None:
        """Keep a record, or one made of keywords; its exception, unless it was kept already."""
        client = current()
        if not client.recording:
            return
        try:
            if record is not None:
                told = told_by(record)
            write(client, self._name, {**told, "labels": self._labels})  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 - the guard, without the price of a wrapper
            failed("emit", error)

    def enabled(self, **_: Any) -> bool:
        """Say whether anybody keeps what is emitted."""
        return current().recording


def told_by(record: Any) -> dict[str, Any]:
    """Read what a record says, of the API or the SDK, of any version."""
    return {name: getattr(record, name, None) for name in _TOLD}


_TOLD = (
    "attributes",
    "body",
    "context",
    "event_name",
    "exception",
    "observed_timestamp",
    "severity_number",
    "severity_text",
    "span_id",
    "timestamp",
    "trace_id",
)


def write(client: Client, name: str, told: dict[str, Any]) -> None:
    """Keep one line, unless it has just come from a library that is watched."""
    scrubber = client.scrubber
    time = moment(told.get("timestamp")) or moment(told.get("observed_timestamp")) or client.now()
    level = level_of(told.get("severity_number"), told.get("severity_text"))
    body, event = _text(told.get("body"), scrubber), told.get("event_name") or ""
    if has_passed(SOURCE, (time, level, body, "", name)):
        return
    trace_id, span_id = _place_of(told)
    line = Log(
        time=time,
        level=level,
        body=scrubber.text(body),
        template=scrubber.word(label(event)) if event else "",
        logger=label(name, MAX_NAME),
        trace_id=trace_id,
        span_id=span_id,
        attributes=scrubber.labels(_attributes(told, scrubber)),
    )
    keep(client, line)


def _attributes(told: dict[str, Any], scrubber: Scrubber) -> dict[str, Any]:
    given = told.get("attributes")
    given = given if isinstance(given, Mapping) else {}
    attributes = {key: text(snapshot(value), scrubber.hides) for key, value in given.items()}
    attributes |= told.get("labels") or {}
    if event := told.get("event_name"):
        attributes["event.name"] = event
    error = told.get("exception")
    if isinstance(error, BaseException):
        attributes.setdefault("exception.type", type(error).__qualname__)
        if error_id := capture_exception(error):
            attributes["error_id"] = error_id
    return attributes


def _text(body: Any, scrubber: Scrubber) -> str:
    if type(body) is str:
        return body
    return label(text(snapshot(body), scrubber.hides), 1 << 20)


def level_of(number: Any, word: Any) -> str:
    """Say a severity as a level: by its number, or else by its word."""
    number = getattr(number, "value", number)
    if type(number) is int and 1 <= number <= len(_LEVELS) * _A_LEVEL:
        return _LEVELS[(number - 1) // _A_LEVEL]
    lower = word.lower() if type(word) is str else "info"
    lower = _OTHER_WORDS.get(lower, lower)
    return lower if lower in _LEVELS else "info"


def _place_of(told: dict[str, Any]) -> tuple[str, str]:
    """Say which span a record belongs to: that it names, that of its context, or the open one."""
    trace, span = told.get("trace_id") or 0, told.get("span_id") or 0
    if not trace and told.get("context") is not None:
        place = get_current_span(told["context"]).get_span_context()
        trace, span = place.trace_id, place.span_id
    if not trace:
        return position() if told.get("context") is None else ("", "")
    return f"{trace:032x}", f"{span:016x}" if span else ""
