"""Single signals as what Sentry's envelopes carry; made again, they have the same ids."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from qmon_sdk.protocol.frames import Frame
from qmon_sdk.protocol.signals import CheckIn, Error, Labels, Log, Session, Span

_S = 1_000_000_000
_SEVERITY = {"trace": 1, "debug": 5, "info": 9, "warning": 13, "error": 17, "critical": 21}
_LEVELS = {"warn": "warning", "critical": "fatal", "trace": "debug"}
_LOG_LEVELS = {"warning": "warn", "critical": "fatal"}
_SESSIONS = {"healthy": "exited", "errored": "exited"}
_CHECKINS = {"in_progress": "in_progress", "started": "in_progress", "ok": "ok"}
_STATUS = {"ok": "ok", "error": "internal_error"}


def event_of(frame: Frame, error: Error, *, name: str) -> dict[str, Any]:
    """An error as an event; `name` tells it from every other one."""
    return {
        "event_id": id_of(name),
        "timestamp": seconds(error.time),
        "platform": "python",
        "level": _LEVELS.get(error.level, error.level),
        "logger": "qmon",
        "transaction": error.culprit,
        "exception": {"values": _exceptions(error)},
        "contexts": {"trace": _trace(error.trace_id, error.span_id)},
        "fingerprint": [error.grouping] if error.grouping else ["{{ default }}"],
        **_who(frame, error.attributes, error.user_id),
    }


def transaction_of(frame: Frame, root: Span, spans: list[Span], *, name: str) -> dict[str, Any]:
    """A span with those below it."""
    return {
        "type": "transaction",
        "event_id": id_of(name),
        "platform": "python",
        "transaction": root.name,
        "transaction_info": {"source": "custom"},
        "start_timestamp": seconds(root.time),
        "timestamp": seconds(root.time + root.duration_ns),
        "contexts": {
            "trace": {
                **_trace(root.trace_id, root.span_id, root.parent_id),
                "op": _op(root),
                "status": _STATUS.get(root.status, "ok"),
                "data": root.attributes,
            }
        },
        "spans": [_span(each) for each in spans],
        **_who(frame, {}, root.user_id),
    }


def session_of(frame: Frame, session: Session, *, name: str) -> dict[str, Any]:
    who = frame.resource
    return {
        "sid": id_of(session.session_id or name),
        "did": session.user_id or None,
        "init": True,
        "seq": max(0, session.time) // 1_000_000,
        "started": seconds(session.started or session.time),
        "timestamp": seconds(session.time),
        "duration": session.duration_ns / _S,
        "status": _SESSIONS.get(session.status, session.status),
        "errors": session.errors,
        "attrs": {"release": who.release, "environment": who.environment},
    }


def checkin_of(frame: Frame, checkin: CheckIn, *, name: str) -> dict[str, Any]:
    return {
        "check_in_id": id_of(name),
        "monitor_slug": checkin.monitor,
        "status": _CHECKINS.get(checkin.status, "error"),
        "duration": checkin.duration_ns / _S,
        "release": frame.resource.release,
        "environment": frame.resource.environment,
    }


def log_of(frame: Frame, log: Log) -> dict[str, Any]:
    who = frame.resource
    told = {
        **log.attributes,
        "sentry.release": who.release,
        "sentry.environment": who.environment,
        "server.address": who.host,
        "service.name": who.service,
        "logger.name": log.logger,
        "sentry.message.template": log.template,
    }
    return {
        "timestamp": seconds(log.time),
        "trace_id": log.trace_id if len(log.trace_id) == 32 else "0" * 32,  # noqa: PLR2004 - of hex
        "span_id": log.span_id or None,
        "level": _LOG_LEVELS.get(log.level, log.level),
        "severity_number": _SEVERITY.get(log.level, 9),
        "body": log.body,
        "attributes": {k: {"value": v, "type": "string"} for k, v in told.items() if v},
    }


def id_of(name: str) -> str:
    """The id as it is, if it is one; else one that is the same for the same name."""
    if len(name) == 32 and all(digit in "0123456789abcdef" for digit in name):  # noqa: PLR2004 - of hex
        return name
    return blake2b(name.encode("utf-8", "replace"), digest_size=16).hexdigest()


def seconds(ns: int) -> float:
    return max(0, ns) / _S


def _who(frame: Frame, tags: Labels, user: str) -> dict[str, Any]:
    who = frame.resource
    told: dict[str, Any] = {
        "release": who.release,
        "environment": who.environment,
        "server_name": who.host,
        "tags": {"service": who.service, **tags},
    }
    if user:
        told["user"] = {"id": user}
    return {key: value for key, value in told.items() if value}


def _trace(trace: str, span: str, parent: str = "") -> dict[str, str]:
    told = {"trace_id": trace, "span_id": span, "parent_span_id": parent}
    if not trace:
        return {"trace_id": id_of(f"trace {span}"), "span_id": id_of(f"span {span}")[:16]}
    return {key: value for key, value in told.items() if value}


def _span(span: Span) -> dict[str, Any]:
    return {
        **_trace(span.trace_id, span.span_id, span.parent_id),
        "op": _op(span),
        "description": span.name,
        "start_timestamp": seconds(span.time),
        "timestamp": seconds(span.time + span.duration_ns),
        "status": _STATUS.get(span.status, "ok"),
        "data": span.attributes,
    }


def _op(span: Span) -> str:
    """What Sentry groups spans by."""
    known = span.attributes
    if "db.system.name" in known:
        return "db"
    if "http.request.method" in known:
        return f"http.{span.kind}"
    return "queue.process" if span.kind == "consumer" else "function"


def _exceptions(error: Error) -> list[dict[str, Any]]:
    """The cause first, as Sentry has it; one without a stack when the stack is a stranger's."""
    mechanism = {"type": "qmon", "handled": error.handled}
    try:
        chain = msgspec.json.decode(error.stack)["chain"] if error.stack else []
        told = [_exception(each) for each in reversed(chain)]
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        told = []
    told = told or [{"type": error.type, "value": error.message}]
    told[-1]["mechanism"] = mechanism
    return told


def _exception(exception: Mapping[str, Any]) -> dict[str, Any]:
    told = {"type": exception["type"], "value": exception["value"]}
    if module := exception.get("module", ""):
        told["module"] = module
    if frames := exception["frames"]:
        told["stacktrace"] = {"frames": [_frame(each) for each in frames]}
    return told


def _frame(frame: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "filename": frame["file"],
        "abs_path": frame["file"],
        "function": frame["function"],
        "lineno": frame["line"],
        "pre_context": list(frame.get("pre", ())),
        "context_line": frame.get("code", ""),
        "post_context": list(frame.get("post", ())),
        "vars": frame.get("locals", {}),
        "module": frame.get("module", ""),
        "in_app": bool(frame.get("in_app", True)),
    }
