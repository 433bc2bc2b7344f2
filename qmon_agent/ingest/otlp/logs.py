"""Logs: lines, and an error for every exception that a line tells of."""

from __future__ import annotations

from typing import Any

from qmon_sdk.protocol.signals import NO_LABELS, Error, Log, Signal

from .exceptions import Place, error_of, is_told
from .reading import Labels, Reading, added

_LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
_A_LEVEL = 4  # severity numbers to a level
_BY_NUMBER = {
    number: level
    for place, level in enumerate(_LEVELS)
    for step in range(_A_LEVEL)
    for number in (
        place * _A_LEVEL + step + 1,
        f"SEVERITY_NUMBER_{level.upper()}{step + 1 if step else ''}",
    )
}
_BY_WORD = {
    **{level: level for level in _LEVELS},
    "warning": "warn",
    "critical": "fatal",
    "emergency": "fatal",
    "alert": "fatal",
    "err": "error",
    "information": "info",
    "notice": "info",
    "verbose": "trace",
}
_TRACE, _SPAN = 16, 8
_OURS = "qmon.error."
"""Attributes with which an agent of ours passes on an error: then it is nothing else."""


def read_logs(message: Any, reading: Reading) -> None:
    """Everything a request for logs tells."""
    for part in message.resource_logs or ():
        signals = reading.signals_of(part.resource)
        for inner in part.scope_logs or ():
            scope = reading.scope(inner.scope)
            reader = _Lines(reading, signals, logger=scope.pop("otel.scope.name", ""), scope=scope)
            for record in inner.log_records or ():
                reader.take(record)


def level_of(number: Any, word: str | None) -> str:
    """A severity as a level: by its number, or else by its word."""
    return _BY_NUMBER.get(number) or _BY_WORD.get((word or "").lower(), "info")


class _Lines:
    """Reads the records of one library."""

    def __init__(
        self, reading: Reading, signals: list[Signal], *, logger: str, scope: Labels
    ) -> None:
        self._reading = reading
        self._signals = signals
        self._logger = logger
        self._scope = scope

    def take(self, record: Any) -> None:
        reading = self._reading
        time = reading.time(record.time_unix_nano, record.observed_time_unix_nano)
        if time < 0:
            reading.reject("log records of a time beyond the year 2262")
            return
        level = level_of(record.severity_number, record.severity_text)
        labels = reading.labels(record.attributes)
        place = self._place(record, time=time, level=level, labels=labels)
        body = reading.encoding.text(raw) if (raw := bytes(record.body)) else ""
        if is_told(labels):
            error = self._error(labels, place)
            self._signals.append(error)
            if f"{_OURS}id" in labels:
                return
            labels["error_id"] = error.error_id
        labels.update(self._scope)
        event = record.event_name or ""
        added(labels, (("event.name", event), ("severity.text", _unusual(record, level))))
        added(labels, (("otel.dropped_attributes_count", record.dropped_attributes_count),))
        row = (
            time, level, body, event, self._logger, place.trace_id, place.span_id,
            labels or NO_LABELS,
        )  # fmt: skip
        self._signals.append(tuple.__new__(Log, row))  # type: ignore[type-var]

    def _place(self, record: Any, *, time: int, level: str, labels: Labels) -> Place:
        identify = self._reading.encoding.identify
        return Place(
            time=time,
            trace_id=identify(record.trace_id, _TRACE),
            span_id=identify(record.span_id, _SPAN),
            user_id=labels.get("user.id", ""),
            session_id=labels.get("session.id", ""),
            level=level,
            number=len(self._signals),
        )

    def _error(self, labels: Labels, place: Place) -> Error:
        error = error_of(labels, place, beside={"logger": self._logger} if self._logger else {})
        if f"{_OURS}id" not in labels:
            return error
        rest = {
            key: text
            for key, text in error.attributes.items()
            if not key.startswith(_OURS) and key not in {"user.id", "session.id", "logger"}
        }
        return error.replace(
            error_id=labels[f"{_OURS}id"],
            issue_id=labels.get(f"{_OURS}issue", ""),
            culprit=labels.get(f"{_OURS}culprit", error.culprit),
            grouping=labels.get(f"{_OURS}grouping", error.grouping),
            handled=labels.get(f"{_OURS}handled", "true") == "true",
            attributes=rest,
        )


def _unusual(record: Any, level: str) -> str:
    """The word for a severity, where it says more than the level does."""
    word = record.severity_text or ""
    return "" if _BY_WORD.get(word.lower()) == level else word
