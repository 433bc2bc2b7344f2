"""What Sentry's scope knows beside the thing itself: who, where, with which tags, after what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from qmon_agent.ingest.loose import (
    as_json,
    identity,
    labels,
    mapping,
    mappings,
    name,
    sequence,
    text,
)
from qmon_sdk.protocol.frames import Resource

from .crumbs import crumbs_of

Said = Mapping[str, Any]
"""An event, a transaction, or whatever else has a scope."""

EXTRA, TRANSACTION, FINGERPRINT = "extra", "transaction", "sentry.fingerprint"
MOST_CONTEXTS = 40
_KEPT_ELSEWHERE = frozenset({"trace", "flags"})
_SECRETS = ("auth", "cookie", "key", "secret", "token")
"""A header whose name has one of these in it is nobody's business."""


def resource_of(said: Said, *, service: str, sdk: Said) -> Resource:
    """Who speaks. Sentry has no word for a service: a tag or OpenTelemetry's resource may."""
    otel = mapping(mapping(mapping(said.get("contexts")).get("otel")).get("resource"))
    own = tags_of(said).get("service") or name(otel.get("service.name"))
    return Resource(
        service=own or service,
        release=name(said.get("release")),
        environment=name(said.get("environment")) or "production",
        host=name(said.get("server_name")),
        sdk="/".join(filter(None, (name(sdk.get("name")), name(sdk.get("version"))))),
    )


def user_id_of(user: Said) -> str:
    """The id; where there is none, what else names one person."""
    known = (name(user.get(key)) for key in ("id", "username", "email"))
    return next(filter(None, known), "")


def trace_of(said: Said) -> tuple[str, str]:
    """Trace and span that it happened in."""
    trace = mapping(mapping(said.get("contexts")).get("trace"))
    return identity(trace.get("trace_id")), identity(trace.get("span_id"))


def attributes_of(said: Said) -> dict[str, str]:
    """Everything, named as our own errors name it; contexts and breadcrumbs as JSON."""
    contexts = mapping(said.get("contexts"))
    found = {f"tag.{key}": value for key, value in tags_of(said).items()}
    found |= labels(said.get("user"), "user.")
    found |= _request(mapping(said.get("request")))
    found |= _contexts({**contexts, EXTRA: said.get("extra")})
    for flag in mappings(mapping(contexts.get("flags")).get("values")):
        found[f"flag.{name(flag.get('flag'))}"] = text(flag.get("result"))
    if crumbs := crumbs_of(said):
        found["breadcrumbs"] = crumbs
    for key in (TRANSACTION, "logger", "platform"):
        if written := name(said.get(key)):
            found[key] = written
    if words := [text(word) for word in sequence(said.get("fingerprint"))]:
        found[FINGERPRINT] = as_json(words)
    return found


def tags_of(said: Said) -> dict[str, str]:
    """Tags come as an object, or as a list of pairs."""
    return labels(said.get("tags"))


def _contexts(contexts: Said) -> dict[str, str]:
    written = {
        f"context.{name(key)}": labels(context)
        for key, context in [*contexts.items()][-MOST_CONTEXTS:]
        if key not in _KEPT_ELSEWHERE
    }
    return {key: as_json(facts) for key, facts in written.items() if facts}


def _request(request: Said) -> dict[str, str]:
    """Of an HTTP request, in OpenTelemetry's words."""
    if not request:
        return {}
    headers = labels(request.get("headers"))
    url, query = text(request.get("url")), request.get("query_string")
    found = {
        "http.request.method": name(request.get("method")),
        "url.full": url.partition("?")[0],
        "url.path": _path_of(url),
        "url.query": text(query) if isinstance(query, str) else "",
        "client.address": name(mapping(request.get("env")).get("REMOTE_ADDR")),
        "http.request.body": text(request.get("data"), 2048),
    }
    if not found["url.query"] and query:
        pairs = labels(query)
        found["url.query"] = "&".join(f"{key}={value}" for key, value in pairs.items())
    for key, value in headers.items():
        header = key.lower()
        if header == "user-agent":
            found["user_agent.original"] = value
        elif not any(word in header for word in _SECRETS):
            found[f"http.request.header.{header}"] = value
    return {key: value for key, value in found.items() if value}


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
