"""Lines of log files as logs: what belongs together, what a line of JSON says, and tracebacks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from qmon_agent.ingest.grouping import culprit_of, key_of
from qmon_agent.ingest.loose import decoded, identity, labels, moment, name, text
from qmon_agent.ingest.tracebacks import chain_of, written
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.signals import Error, Log, Signal

_TRACEBACK = "Traceback (most recent call last)"
_MAX_BODY = 32 * 1024
_LATEST_S = 1 << 33  # beyond this a time is no time
_LINES = 500  # of one group; a file without ends is cut into such
_GOES_ON = (
    "Caused by: ",
    "The above exception was the direct cause",
    "During handling of the above exception",
)
_LEVELS = {
    "trace": "trace",
    "verbose": "trace",
    "debug": "debug",
    "info": "info",
    "information": "info",
    "notice": "info",
    "warn": "warn",
    "warning": "warn",
    "err": "error",
    "error": "error",
    "critical": "fatal",
    "crit": "fatal",
    "alert": "fatal",
    "emerg": "fatal",
    "fatal": "fatal",
    "panic": "fatal",
}
_LEVEL = re.compile(rf"\b({'|'.join(_LEVELS)})\b", re.IGNORECASE)
_WHERE_LEVELS_ARE = 120
_TIME = re.compile(
    r"\[?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))? ?(Z|[+-]\d\d:?\d\d)?"
)
_KEYS: Mapping[str, Sequence[str]] = {
    "level": ("level", "severity", "levelname", "log.level", "lvl"),
    "body": ("message", "msg", "event", "body", "log"),
    "time": ("time", "timestamp", "@timestamp", "ts", "asctime"),
    "trace_id": ("trace_id", "traceId", "trace.id", "otelTraceID", "dd.trace_id"),
    "span_id": ("span_id", "spanId", "span.id", "otelSpanID", "dd.span_id"),
    "logger": ("logger", "logger_name", "log.logger", "name"),
    "stack": ("exc_info", "exception", "exc_text", "stack_trace", "error.stack_trace", "stack"),
}
_NUMBERS = {10: "debug", 20: "info", 30: "warn", 40: "error", 50: "fatal", 60: "fatal"}


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a group of lines is from."""

    path: str
    name: str
    """What the ids of its errors begin with: its file and its place."""
    now: int


def groups_of(lines: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """From which line to which each group goes: a line, and those that go on from it."""
    start, ends_soon, in_traceback = 0, False, False
    for number, line in enumerate(lines):
        told = line.decode("utf-8", "replace")
        is_title = in_traceback and not told[:1].isspace()
        goes_on = (
            is_title
            or told[:1] in {" ", "\t"}
            or told.startswith((*_GOES_ON, _TRACEBACK))
            or (not told.strip() and ends_soon)
        )
        if number > start and (not goes_on or number - start >= _LINES):
            yield start, number
            start, ends_soon = number, False
        if is_title:
            ends_soon = True
        in_traceback = _TRACEBACK in told or (in_traceback and not is_title)
    if lines:
        yield start, len(lines)


def signals_of(group: Sequence[bytes], origin: Origin) -> list[Signal]:
    """A log, and an error besides if there is a traceback; nothing for blank lines."""
    whole = b"\n".join(group).decode("utf-8", "replace").strip("\r\n")
    if not whole.strip():
        return []
    told = _told_of_json(whole) if whole.lstrip().startswith("{") else None
    log, stack = _log_of_json(told, origin) if told else _log_of_text(whole, origin)
    place = stack.find(_TRACEBACK)
    if place < 0:
        return [log]
    return [log, _error_of(stack[place:], log, origin)]


def _told_of_json(whole: str) -> Mapping[str, Any] | None:
    try:
        found = decoded(whole.encode())
    except WireError:
        return None
    return found if isinstance(found, dict) and found else None


def _log_of_json(told: Mapping[str, Any], origin: Origin) -> tuple[Log, str]:
    found: dict[str, Any] = {}
    left = dict(told)
    for field, keys in _KEYS.items():
        key = next((one for one in keys if left.get(one) not in {None, ""}), None) if left else None
        if key is not None and not isinstance(left[key], dict | list):
            found[field] = left.pop(key)
    stack = text(found.get("stack", ""), _MAX_BODY)
    log = Log(
        time=_time_of(found.get("time")) or origin.now,
        level=_level_of(found.get("level")),
        body=text(found.get("body", ""), _MAX_BODY),
        logger=name(found.get("logger", "")),
        trace_id=identity(found.get("trace_id")),
        span_id=identity(found.get("span_id")),
        attributes={**labels(left), "log.file.path": origin.path},
    )
    return log, stack or log.body


def _log_of_text(whole: str, origin: Origin) -> tuple[Log, str]:
    first = whole.partition("\n")[0][:_WHERE_LEVELS_ARE]
    found = _LEVEL.search(first)
    level = _LEVELS[found.group(1).lower()] if found else "info"
    if not found and whole.startswith(_TRACEBACK):
        level = "error"
    log = Log(
        time=_time_in(first) or origin.now,
        level=level,
        body=text(whole, _MAX_BODY),
        attributes={"log.file.path": origin.path},
    )
    return log, whole


def _error_of(stack: str, log: Log, origin: Origin) -> Error:
    chain = chain_of(stack, kind="", value="")
    own = chain[0]
    return Error(
        time=log.time,
        error_id=origin.name,
        type=own["type"] or "Error",
        message=own["value"],
        culprit=culprit_of(own["frames"]),
        level="error" if log.level in {"trace", "debug", "info"} else log.level,
        trace_id=log.trace_id,
        span_id=log.span_id,
        stack=written(chain),
        grouping=key_of(chain),
        attributes=log.attributes,
    )


def _level_of(told: Any) -> str:
    if isinstance(told, int) and not isinstance(told, bool):
        return _NUMBERS.get(told, "info")  # as Python's logging, and bunyan and pino in JavaScript
    return _LEVELS.get(text(told, 20).lower(), "info")


def _time_of(told: Any) -> int:
    if isinstance(told, int | float) and not isinstance(told, bool) and told > 1e11:  # noqa: PLR2004 - seconds never are
        told /= 1_000  # milliseconds, as JavaScript counts
    return _time_in(told) if isinstance(told, str) and "-" in told else moment(told)


def _time_in(told: str) -> int:
    """At the beginning of a text; where it names no zone, it is this machine's."""
    found = _TIME.match(told)
    if found is None:
        return 0
    day, clock, fraction, zone = found.groups()
    try:
        when = datetime.fromisoformat(f"{day}T{clock}{zone or ''}").astimezone()
        seconds = int(when.timestamp())
    except (ValueError, OverflowError, OSError):
        return 0
    if not 0 < seconds < _LATEST_S:
        return 0
    return seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))
