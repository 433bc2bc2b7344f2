"""Which items there are, how large each may be, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from qmon_agent.ingest.foreign import Parcel
from qmon_agent.ingest.loose import NotJsonError, decoded, mappings, name, whole

from .checkins import keep_checkin
from .envelope import Item, read_envelope, without_headers
from .events import keep_event, keep_feedback
from .gathered import Gathered
from .peeled import peel
from .sessions import keep_session, keep_sessions
from .telemetry import keep_logs, keep_metrics
from .traces import keep_span, keep_transaction

MIB = 1 << 20
Keep = Callable[[Mapping[str, Any], Gathered], None]


def keep_report(said: Mapping[str, Any], gathered: Gathered) -> None:
    """Enter into the books what the client itself says it has dropped."""
    for lost in mappings(said.get("discarded_events")):
        kind = CATEGORIES.get(name(lost.get("category")))
        count = max(0, whole(lost.get("quantity")))
        if kind is None:
            gathered.note(f"client report: {name(lost.get('category'))}", count)
        elif count:
            reason = name(lost.get("reason"))
            gathered.drop(kind, reason if reason in REASONS else "other", count)


CATEGORIES = {
    "default": "error",
    "error": "error",
    "span": "span",
    "session": "session",
    "monitor": "checkin",
    "log_item": "log",
    "trace_metric": "point",
    "metric_bucket": "point",
    "feedback": "event",
    "attachment": "attachment",
    "profile": "profile",
    "profile_chunk": "profile",
    "replay": "replay",
}
"""Sentry's category of data → the kind it is in our books. A transaction is counted by its spans,
and a byte not at all."""


REASONS = frozenset(
    (
        "backpressure",
        "before_send",
        "buffer_overflow",
        "cache_overflow",
        "event_processor",
        "ignored",
        "ignore_spans",
        "insufficient_data",
        "internal_sdk_error",
        "invalid",
        "network_error",
        "no_parent_span",
        "queue_overflow",
        "ratelimit_backoff",
        "sample_rate",
        "send_error",
        "too_big",
    )
)
"""Why clients drop; whatever else they say is `other`, so that the books stay short."""


class Kind(msgspec.Struct, frozen=True):
    """One type of item: its kind in the books, its limit, and its translation if it is kept."""

    kind: str
    max_bytes: int
    keep: Keep | None = None
    read: Callable[[bytes], Any] = decoded


KINDS = {
    "event": Kind("error", MIB, keep_event, read=peel),
    "transaction": Kind("span", MIB, keep_transaction),
    "span": Kind("span", 10 * MIB, keep_span),
    "session": Kind("session", MIB, keep_session),
    "sessions": Kind("session", MIB, keep_sessions),
    "check_in": Kind("checkin", 100 << 10, keep_checkin),
    "log": Kind("log", 10 * MIB, keep_logs),
    "trace_metric": Kind("point", 10 * MIB, keep_metrics),
    "client_report": Kind("report", 4 << 10, keep_report),
    "feedback": Kind("event", MIB, keep_feedback),
    "user_report": Kind("event", MIB, keep_feedback),
    "attachment": Kind("attachment", 200 * MIB),
    "profile": Kind("profile", 50 * MIB),
    "profile_chunk": Kind("profile", 50 * MIB),
    "replay_event": Kind("replay", MIB),
    "replay_recording": Kind("replay", 100 * MIB),
    "replay_video": Kind("replay", 100 * MIB),
    "statsd": Kind("point", MIB),
    "metric_buckets": Kind("point", MIB),
}
"""Type of item → what becomes of it. Containers hold up to a thousand of 1 MiB each; 10 MiB is more
than the clients put into one."""


def translated(body: bytes, *, service: str, now: int) -> tuple[Parcel, Gathered]:
    """Read an envelope and translate what is in it; raises EnvelopeError."""
    envelope = read_envelope(body)
    gathered = Gathered(envelope.headers, service=service, now=now)
    for item in envelope.items:
        _translate(item, gathered)
    event_id = name(envelope.headers.get("event_id")).encode()
    parcel = Parcel(
        protocol="sentry",
        groups=gathered.groups,
        original=body,
        identity=event_id + without_headers(body),
        dropped=gathered.dropped,
        content_type="application/x-sentry-envelope",
    )
    return parcel, gathered


def enveloped(body: bytes) -> bytes:
    """A bare event, as the older `/store/` takes it, in an envelope; the event is one line."""
    headers = b'{}\n{"type":"event","length":%d}\n' % len(body)
    return headers + body


def _translate(item: Item, gathered: Gathered) -> None:
    kind = KINDS.get(item.type)
    if kind is None:
        gathered.drop("item", "unknown_type")
    elif kind.keep is None:
        gathered.drop(kind.kind, "not_kept", _count_of(item))
    elif len(item.payload) > kind.max_bytes:
        gathered.drop(kind.kind, "too_large", _count_of(item))
    else:
        _keep(item, kind, gathered)


def _keep(item: Item, kind: Kind, gathered: Gathered) -> None:
    try:
        said = kind.read(item.payload)
        if kind.keep and isinstance(said, Mapping):
            kind.keep(said, gathered)
            return
    except NotJsonError:
        pass
    gathered.drop(kind.kind, "invalid", _count_of(item))


def _count_of(item: Item) -> int:
    """How many there are in a container, as its header says."""
    return min(max(1, whole(item.headers.get("item_count"))), 1_000)
