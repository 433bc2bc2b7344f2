"""Sentry's hooks for transactions, logs and metrics, shown dictionaries of what qmon is to send."""

from __future__ import annotations

from datetime import UTC, datetime

from qmon_sdk.client import current
from qmon_sdk.rendering import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qmon_sdk.protocol.signals import Log, Point, Span

    Hook = Callable[[dict[str, Any], dict[str, Any]], Any]

_SECOND_NS = 1_000_000_000
_SEVERITIES = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}


def span_hook(
    before_send_transaction: Hook | None, before_send_span: Hook | None
) -> Callable[[Span], Any]:
    """Show spans without a parent to one hook, as transactions; all others to the other."""

    def hook(span: Span) -> Span | None:
        wanted = before_send_span if span.parent_id else before_send_transaction
        return span if wanted is None else _span(span, wanted)

    return hook


def _span(span: Span, hook: Hook) -> Span | None:
    event = _transaction(span)
    seen = hook(event, {})
    if seen is None:
        return None
    told = seen.get("data") or {}
    attributes = span.attributes if told == span.attributes else current().scrubber.labels(told)
    name = seen.get("transaction", seen.get("description", span.name))
    return span.replace(name=label(name), attributes=attributes)


def _transaction(span: Span) -> dict[str, Any]:
    settings, attributes = current().settings, dict(span.attributes)
    trace = {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_id or None,
        "op": attributes.get("sentry.op", ""),
        "status": attributes.get("sentry.status", span.status),
        "data": attributes,
    }
    event = {
        "start_timestamp": _moment(span.time),
        "timestamp": _moment(span.time + span.duration_ns),
        "data": attributes,
        **trace,
    }
    if span.parent_id:
        return {**event, "description": span.name}
    return {
        **event,
        "type": "transaction",
        "event_id": span.trace_id,
        "transaction": span.name,
        "platform": "python",
        "release": settings.release,
        "environment": settings.environment,
        "contexts": {"trace": trace},
        "tags": {k[4:]: v for k, v in attributes.items() if k.startswith("tag.")},
        "spans": [],
    }


def _moment(time: int) -> str:
    return datetime.fromtimestamp(time / _SECOND_NS, UTC).isoformat()


def log_hook(hook: Hook) -> Callable[[Log], Any]:
    """Show lines to a hook."""

    def seen(line: Log) -> Log | None:
        told = {
            "severity_text": line.level,
            "severity_number": _SEVERITIES.get(line.level, 9),
            "body": line.body,
            "attributes": dict(line.attributes),
            "time_unix_nano": line.time,
            "trace_id": line.trace_id,
            "span_id": line.span_id,
        }
        answer = hook(told, {})
        if answer is None:
            return None
        scrub = current().scrubber
        return line.replace(
            level=label(answer.get("severity_text")) or line.level,
            body=scrub.value(answer.get("body")),
            attributes=scrub.labels(answer.get("attributes") or {}),
        )

    return seen


def metric_hook(hook: Hook) -> Callable[[Point], Any]:
    """Show numbers to a hook, added up as they are."""

    def seen(point: Point) -> Point | None:
        told = {
            "name": point.metric,
            "type": point.kind,
            "value": point.value,
            "unit": point.unit,
            "attributes": dict(point.attributes),
            "timestamp": point.time / _SECOND_NS,
        }
        answer = hook(told, {})
        if answer is None:
            return None
        labels = current().scrubber.labels(answer.get("attributes") or {})
        return point.replace(metric=label(answer.get("name")) or point.metric, attributes=labels)

    return seen
