"""Sentry's transactions as spans: the transaction itself, all it contains, and its measurements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qmon_agent.ingest.loose import (
    as_json,
    identity,
    labels,
    mapping,
    mappings,
    moment,
    name,
    number,
    text,
)
from qmon_agent.ingest.numbers import point_of_value
from qmon_sdk.protocol.signals import Point, Span

from .gathered import Gathered
from .scope import attributes_of, user_id_of
from .typed import attributes_of_typed, speaker_of
from .words import UNITS, VITALS, kind_of, renamed, status_of

Said = Mapping[str, Any]
MOST_LINKS = 128


def keep_transaction(said: Said, gathered: Gathered) -> None:
    """Keep a transaction and the spans in it, all of them the same user's."""
    root = _root(said)
    children = [
        _child(each, trace_id=root.trace_id, user_id=root.user_id)
        for each in mappings(said.get("spans"))
    ]
    gathered.keep(said, [root, *children, *_points(said, time=root.time + root.duration_ns)])


def keep_span(said: Said, gathered: Gathered) -> None:
    """Keep spans that came without a transaction, in the newer form or the older one."""
    if "items" in said:
        for each in mappings(said["items"]):
            attributes = attributes_of_typed(each.get("attributes"))
            speaker = speaker_of(attributes)
            gathered.keep(speaker, [_streamed(each, attributes)])
        return
    span = _child(said, trace_id="", user_id="")
    gathered.keep(speaker_of(dict(span.attributes)), [span])


def _root(said: Said) -> Span:
    trace = mapping(mapping(said.get("contexts")).get("trace"))
    op, method = name(trace.get("op")), name(mapping(said.get("request")).get("method"))
    attributes = attributes_of(said) | renamed(labels(trace.get("data"))) | _told_of(trace, op)
    attributes.pop("transaction", None)
    source = name(mapping(said.get("transaction_info")).get("source"))
    title = name(said.get("transaction")) or op or "transaction"
    if op == "http.server":
        method = attributes.setdefault("http.request.method", method)
        title = _named_request(title, method, source)
        if source == "route":
            attributes.setdefault("http.route", title.removeprefix(f"{method} "))
    return _span({**trace, **_times(said)}, title, attributes, user=mapping(said.get("user")))


def _times(said: Said) -> dict[str, Any]:
    return {key: said.get(key) for key in ("start_timestamp", "timestamp")}


def _named_request(title: str, method: str, source: str) -> str:
    """As our own requests are named: by the route, and never by the path as it was sent."""
    if source == "url":
        return method or "HTTP"
    if title.startswith("/") and method:
        return f"{method} {title}"
    return title


def _child(said: Said, *, trace_id: str, user_id: str) -> Span:
    op, description = name(said.get("op")), text(said.get("description"))
    attributes = {f"tag.{key}": value for key, value in labels(said.get("tags")).items()}
    attributes |= renamed(labels(said.get("data"))) | _told_of(said, op)
    if op.partition(".")[0] == "db" and description:
        attributes.setdefault("db.query.text", description)
    title = _title(op, description, attributes)
    told = {"trace_id": trace_id, **said} if trace_id else said
    return _span(told, title, attributes, user={"id": user_id})


def _title(op: str, description: str, attributes: Mapping[str, str]) -> str:
    """A name with few values: of a statement or an address, only what is no data."""
    if op.partition(".")[0] == "db":
        words = description.split(None, 1)
        operation = attributes.get("db.operation.name") or (words[0] if words else op)
        what = attributes.get("db.collection.name") or attributes.get("db.namespace", "")
        return name(f"{operation} {what}".strip())
    if op == "http.client":
        method = description.partition(" ")[0]
        return attributes.get("http.request.method") or name(method) or "HTTP"
    return name(description) or op or "span"


def _streamed(said: Said, attributes: dict[str, str]) -> Span:
    """A span of the newer kind: attributes with types, and a name of its own."""
    told = {
        **said,
        "timestamp": said.get("end_timestamp"),
        "status": "internal_error" if said.get("status") == "error" else said.get("status"),
        "op": attributes.get("sentry.op"),
    }
    user = {"id": attributes.get("user.id")}
    return _span(told, name(said.get("name")), renamed(attributes), user=user)


def _told_of(said: Said, op: str) -> dict[str, str]:
    status = name(said.get("status"))
    told = {"sentry.op": op, "sentry.origin": name(said.get("origin")), "sentry.status": status}
    return {key: value for key, value in told.items() if value and value != "ok"}


def _span(said: Said, title: str, attributes: dict[str, str], *, user: Said) -> Span:
    start, end = moment(said.get("start_timestamp")), moment(said.get("timestamp"))
    kind = kind_of(name(said.get("op")))
    return Span(
        time=start,
        trace_id=identity(said.get("trace_id")),
        span_id=identity(said.get("span_id")),
        parent_id=identity(said.get("parent_span_id")),
        name=title,
        kind=kind,
        duration_ns=max(0, end - start),
        status=status_of(name(said.get("status")), kind),
        user_id=user_id_of(user),
        attributes=attributes,
        links=_links(said.get("links")),
    )


def _links(said: Any) -> str:
    links = [
        {
            "trace_id": identity(link.get("trace_id")),
            "span_id": identity(link.get("span_id")),
            "tracestate": "",
            "attributes": labels(link.get("attributes")),
        }
        for link in [*mappings(said)][:MOST_LINKS]
    ]
    return as_json(links) if links else ""


def _points(said: Said, *, time: int) -> Iterator[Point]:
    for key, measured in mapping(said.get("measurements")).items():
        told = mapping(measured)
        unit = name(told.get("unit"))
        yield point_of_value(
            VITALS.get(key, name(key)),
            number(told.get("value")),
            time=time,
            unit=UNITS.get(unit, unit),
            attributes={"transaction": name(said.get("transaction"))},
        )
