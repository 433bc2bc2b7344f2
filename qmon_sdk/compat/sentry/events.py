"""An error as Sentry's hooks know it, a dictionary, and back again."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from qmon_sdk.client import current
from qmon_sdk.grouping import key_of_fingerprint
from qmon_sdk.json_text import array, members, quoted, texts
from qmon_sdk.protocol.signals import Error
from qmon_sdk.rendering import label

from .layers import EXTRA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Event = dict[str, Any]

MESSAGE = "Message"
TRANSACTION, FINGERPRINT = "transaction", "sentry.fingerprint"
SDK = {"name": "qmon.python", "version": "", "packages": [], "integrations": []}
_SECOND_NS = 1_000_000_000
_FRAME = {
    "file": "abs_path",
    "function": "function",
    "module": "module",
    "line": "lineno",
    "in_app": "in_app",
    "pre": "pre_context",
    "code": "context_line",
    "post": "post_context",
    "locals": "vars",
}
"""What a frame's parts are called here → there."""

_LEVELS = {"warn": "warning", "trace": "debug"}


def event_of(error: Error) -> Event:
    """Write an error as Sentry would, with what the scope knew of it."""
    settings, attributes = current().settings, error.attributes
    event: Event = {
        "event_id": error.error_id,
        "timestamp": datetime.fromtimestamp(error.time / _SECOND_NS, UTC).isoformat(),
        "platform": "python",
        "level": _LEVELS.get(error.level, error.level),
        "release": settings.release,
        "environment": settings.environment,
        "server_name": settings.host,
        "sdk": dict(SDK),
        "tags": _under("tag.", attributes),
        "user": _under("user.", attributes),
        "extra": json.loads(attributes.get(f"context.{EXTRA}", "{}")),
        "contexts": _contexts(error),
        "breadcrumbs": {"values": _crumbs(attributes)},
    }
    if TRANSACTION in attributes:
        event["transaction"] = attributes[TRANSACTION]
    if FINGERPRINT in attributes:
        event["fingerprint"] = json.loads(attributes[FINGERPRINT])
    if request := _request(attributes):
        event["request"] = request
    if error.type == MESSAGE:
        event["message"] = error.message
        event["logentry"] = {"message": error.message, "params": []}
    else:
        event["exception"] = {"values": _exceptions(error)}
    return event


def _under(prefix: str, attributes: Mapping[str, str]) -> dict[str, str]:
    return {k.removeprefix(prefix): v for k, v in attributes.items() if k.startswith(prefix)}


def _contexts(error: Error) -> dict[str, Any]:
    contexts = {
        name: json.loads(text)
        for name, text in _under("context.", error.attributes).items()
        if name != EXTRA
    }
    if error.trace_id:
        contexts["trace"] = {"trace_id": error.trace_id, "span_id": error.span_id}
    if flags := _under("flag.", error.attributes):
        values = [{"flag": flag, "result": answer} for flag, answer in flags.items()]
        contexts["flags"] = {"values": values}
    return contexts


def _crumbs(attributes: Mapping[str, str]) -> list[dict[str, Any]]:
    crumbs = json.loads(attributes.get("breadcrumbs", "[]"))
    for crumb in crumbs:
        crumb["timestamp"] = crumb.pop("time") / _SECOND_NS
    return list(crumbs)


def _request(attributes: Mapping[str, str]) -> dict[str, str]:
    names = {"http.request.method": "method", "url.path": "url", "url.query": "query_string"}
    return {names[key]: text for key, text in attributes.items() if key in names}


def _exceptions(error: Error) -> list[dict[str, Any]]:
    """List what led to the error, and last the error itself."""
    chain = json.loads(error.stack).get("chain", []) if error.stack else []
    values = [_exception(link, handled=error.handled) for link in reversed(chain)]
    return values or [{"type": error.type, "value": error.message}]


def _exception(link: Mapping[str, Any], *, handled: bool) -> dict[str, Any]:
    frames = [
        {"filename": frame.get("file", "").rpartition("/")[2]}
        | {there: frame[here] for here, there in _FRAME.items() if here in frame}
        for frame in link.get("frames", ())
    ]
    return {
        "type": link.get("type", ""),
        "module": link.get("module", ""),
        "value": "\n".join([link.get("value", ""), *link.get("notes", ())]),
        "mechanism": {"type": "generic", "handled": handled},
        "stacktrace": {"frames": frames},
    }


def error_of(event: Mapping[str, Any], error: Error, before: Mapping[str, Any]) -> Error:
    """Write what became of an event: parts that are as they were before stay as they were."""
    scrub = current().scrubber
    attributes = {
        key: text
        for key, text in error.attributes.items()
        if not key.startswith(("tag.", "user.", "context.", "flag.")) and key != "breadcrumbs"
    }
    attributes |= _attributes(event, error, before)
    if transaction := event.get("transaction"):
        attributes[TRANSACTION] = scrub.value(transaction)
    changed = error.replace(attributes=attributes, level=label(event.get("level") or error.level))
    changed = _grouped(event, changed, before)
    if "exception" in event:
        return changed if event["exception"] == before.get("exception") else _raised(event, changed)
    said = event.get("message") or (event.get("logentry") or {}).get("message", "")
    kind = error.type or MESSAGE
    return changed.replace(type=kind, message=scrub.value(said) if said else error.message)


def _attributes(
    event: Mapping[str, Any], error: Error, before: Mapping[str, Any]
) -> dict[str, str]:
    """Write tags, user, contexts and crumbs again, those that are not the same any more."""
    scrub, attributes = current().scrubber, dict[str, str]()
    for part, prefix in (("tags", "tag."), ("user", "user.")):
        if event.get(part) == before.get(part):
            attributes |= {k: v for k, v in error.attributes.items() if k.startswith(prefix)}
        else:
            told = scrub.labels(dict(event.get(part) or {}))
            attributes |= {prefix + key: text for key, text in told.items()}
    attributes |= {k: v for k, v in error.attributes.items() if k.startswith("flag.")}
    for name, facts in _facts(event).items():
        key = f"context.{name}"
        was = before.get("extra") if name == EXTRA else before.get("contexts", {}).get(name)
        is_as_before = facts == was and key in error.attributes
        attributes[key] = error.attributes[key] if is_as_before else texts(scrub.labels(facts))
    if event.get("breadcrumbs") == before.get("breadcrumbs"):
        attributes |= {k: v for k, v in error.attributes.items() if k == "breadcrumbs"}
    elif crumbs := event.get("breadcrumbs"):
        values = crumbs.get("values", ()) if isinstance(crumbs, dict) else crumbs
        attributes["breadcrumbs"] = array(map(_crumb, values))
    return attributes


def _facts(event: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    facts = {
        label(name): dict(entry)
        for name, entry in (event.get("contexts") or {}).items()
        if name not in {"trace", "flags"} and hasattr(entry, "keys")
    }
    extra = event.get("extra")
    return facts | ({EXTRA: dict(extra)} if extra else {})


def _crumb(crumb: Mapping[str, Any]) -> str:
    """Write one step, as `add_breadcrumb` does."""
    scrub = current().scrubber
    moment = crumb.get("timestamp")
    time = int(moment * _SECOND_NS) if isinstance(moment, int | float) else current().now()
    words = [(name, quoted(label(crumb.get(name)))) for name in ("category", "level", "type")]
    inside = [("time", str(time)), ("message", quoted(scrub.value(crumb.get("message")))), *words]
    if data := crumb.get("data"):
        inside.append(("data", texts(scrub.labels(data))))
    return "{" + members(*inside) + "}"


def _grouped(event: Mapping[str, Any], error: Error, before: Mapping[str, Any]) -> Error:
    fingerprint: Iterable[Any] | None = event.get("fingerprint")
    if fingerprint is None or fingerprint == before.get("fingerprint"):
        return error
    words = [label(word) for word in fingerprint]
    kept = {**error.attributes, FINGERPRINT: array(map(quoted, words))}
    return error.replace(grouping=key_of_fingerprint(words, error.grouping), attributes=kept)


def _raised(event: Mapping[str, Any], error: Error) -> Error:
    """Take the exceptions of an event: its own, or what a hook made of them."""
    exception = event["exception"]
    values = exception.get("values") if isinstance(exception, dict) else exception
    if not values:
        return error
    last = values[-1]
    chain = [_link(value) for value in reversed(values)]
    return error.replace(
        type=label(last.get("type")) or "Error",
        message=current().scrubber.value(last.get("value")) if last.get("value") else "",
        stack='{"chain":' + array(chain) + "}",
    )


def _link(value: Mapping[str, Any]) -> str:
    scrub = current().scrubber
    frames = ((value.get("stacktrace") or {}).get("frames")) or ()
    return (
        "{"
        + members(
            ("type", quoted(label(value.get("type")))),
            ("module", quoted(label(value.get("module")))),
            ("value", quoted(scrub.value(value.get("value") or ""))),
            ("frames", array(map(_frame, frames))),
        )
        + "}"
    )


def _frame(frame: Mapping[str, Any]) -> str:
    scrub = current().scrubber
    line = frame.get("lineno")
    file = frame.get("abs_path") or frame.get("filename")
    parts = [
        ("file", quoted(label(file))),
        ("function", quoted(label(frame.get("function")))),
        ("module", quoted(label(frame.get("module")))),
        ("line", str(line) if type(line) is int else "0"),
        ("in_app", "true" if frame.get("in_app", True) else "false"),
    ]
    parts += [
        (here, array(quoted(scrub.value(text)) for text in frame.get(there) or ()))
        for here, there in (("pre", "pre_context"), ("post", "post_context"))
    ]
    if code := frame.get("context_line"):
        parts.append(("code", quoted(scrub.value(code))))
    if variables := frame.get("vars"):
        parts.append(("locals", texts(scrub.labels(variables))))
    return "{" + members(*parts) + "}"
