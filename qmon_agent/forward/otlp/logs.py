"""Everything that is neither a span nor a point, as OTLP log records; most are events there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from qmon_sdk.protocol.frames import Frame
from qmon_sdk.protocol.signals import Signal

from .attributes import SCOPE, Attributes, Value, any_value, id_of, resource_of

_SEVERITY: dict[str, Any] = {
    "trace": 1,
    "debug": 5,
    "info": 9,
    "warning": 13,
    "warn": 13,
    "error": 17,
    "critical": 21,
    "fatal": 21,
}


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind is told: the event it is, its body, its level, and what its fields become."""

    event: Callable[[Any], str] = lambda _: ""
    body: str = ""
    level: str = ""
    fields: dict[str, str] = {}


FORMS = {
    "log": Form(
        body="body",
        level="level",
        fields={"template": "qmon.log.template", "logger": "qmon.log.logger"},
    ),
    "error": Form(
        event=lambda _: "exception",
        body="message",
        level="level",
        fields={
            "type": "exception.type",
            "message": "exception.message",
            "user_id": "user.id",
            "session_id": "session.id",
            "error_id": "qmon.error.id",
            "issue_id": "qmon.error.issue",
            "culprit": "qmon.error.culprit",
            "grouping": "qmon.error.grouping",
            "handled": "qmon.error.handled",
        },
    ),
    "event": Form(
        event=lambda row: row.name,
        fields={
            "user_id": "user.id",
            "anonymous_id": "qmon.anonymous.id",
            "session_id": "session.id",
            "event_id": "qmon.event.id",
            "sequence": "qmon.event.sequence",
        },
    ),
    "session": Form(
        event=lambda _: "session.end",
        fields={
            "session_id": "session.id",
            "user_id": "user.id",
            "status": "qmon.session.status",
            "started": "qmon.session.started",
            "duration_ns": "qmon.session.duration_ns",
            "errors": "qmon.session.errors",
        },
    ),
    "checkin": Form(
        event=lambda _: "qmon.checkin",
        fields={
            "monitor": "qmon.checkin.monitor",
            "status": "qmon.checkin.status",
            "duration_ns": "qmon.checkin.duration_ns",
        },
    ),
    "snapshot": Form(
        event=lambda _: "qmon.snapshot",
        fields={
            "scan": "qmon.scan",
            "commit": "vcs.ref.head.revision",
            "measure": "qmon.snapshot.measure",
            "value": "qmon.snapshot.value",
            "definition": "qmon.snapshot.definition",
        },
    ),
    "finding": Form(
        event=lambda _: "qmon.finding",
        body="message",
        fields={
            "scan": "qmon.scan",
            "commit": "vcs.ref.head.revision",
            "tool": "qmon.finding.tool",
            "rule": "qmon.finding.rule",
            "severity": "qmon.finding.severity",
            "path": "code.file.path",
            "line": "code.line.number",
            "symbol": "code.function.name",
            "fingerprint": "qmon.finding.fingerprint",
            "state": "qmon.finding.state",
        },
    ),
}


def logs_of(frame: Frame, kind: str, *, rows: Iterable[Signal], made: Attributes) -> ResourceLogs:
    form = FORMS[kind]
    scope = ScopeLogs(scope=SCOPE, log_records=(_record(form, row, made) for row in rows))
    return ResourceLogs(resource=resource_of(frame), scope_logs=[scope])


def _record(form: Form, row: Any, made: Attributes) -> LogRecord:
    level = getattr(row, form.level) if form.level else ""
    time = max(0, row.time)
    record = LogRecord(
        time_unix_nano=time,
        observed_time_unix_nano=time,
        severity_number=_SEVERITY.get(level.lower(), 0),
        severity_text=level,
        event_name=form.event(row),
        trace_id=id_of(getattr(row, "trace_id", "")),
        span_id=id_of(getattr(row, "span_id", "")),
        attributes=made.of(row.attributes, *_further(form, row)),
    )
    if form.body:
        record.body.CopyFrom(any_value(getattr(row, form.body)))
    return record


def _further(form: Form, row: Any) -> Iterator[tuple[str, Value]]:
    for field, name in form.fields.items():
        yield name, getattr(row, field)
    if stack := getattr(row, "stack", ""):
        yield "exception.stacktrace", stacktrace_of(stack)


def stacktrace_of(stack: str) -> str:
    """The stack as Python prints one, so that every backend reads it; as it is if it is no ours."""
    try:
        chain = msgspec.json.decode(stack)["chain"]
        return "\n\n".join(_printed(each) for each in reversed(chain))
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return stack


def _printed(exception: dict[str, Any]) -> str:
    lines = ["Traceback (most recent call last):"]
    for frame in exception["frames"]:
        lines.append(f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}')
        if code := frame.get("code", "").strip():
            lines.append(f"    {code}")
    return "\n".join([*lines, f"{exception['type']}: {exception['value']}"])
