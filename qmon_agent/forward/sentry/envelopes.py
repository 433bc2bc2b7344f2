"""A batch as Sentry's envelopes, by the classes of `sentry-sdk` itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec
from sentry_sdk.envelope import Envelope, Item, PayloadRef

from qmon_agent.forward.batch import Batch, signals_of
from qmon_agent.ingest.foreign import is_beside_original, original_of, rows_of_original
from qmon_sdk.protocol.frames import Frame
from qmon_sdk.protocol.signals import Log, Signal, Span

from .items import checkin_of, event_of, log_of, session_of, transaction_of

_PROTOCOL = "sentry"
_LOG_TYPE = "application/vnd.sentry.items.log+json"
_MOST_LOGS = 100
# A transaction of Sentry's holds so many at most.
_MOST_SPANS = 1000
_BEGINS = frozenset({"server", "consumer"})


class Made(msgspec.Struct, frozen=True):
    """One envelope, what Sentry counts it as, and how many signals are in it."""

    category: str
    body: bytes
    rows: int


def envelopes_of(batch: Batch) -> Iterator[Made]:
    """Errors and transactions each in one of their own, as Sentry wants it; logs together."""
    place = 0
    for frame in batch.frames:
        yield from _originals(frame)
        if is_beside_original(frame, _PROTOCOL):
            continue
        for kind, rows in signals_of(frame):
            place += 1
            yield from _MAKERS.get(kind, _nothing)(frame, rows, f"{batch.id}/{place}")


def _originals(frame: Frame) -> Iterator[Made]:
    """What came as an envelope goes on as it came, but for the address that was in it."""
    told = original_of(frame)
    if told is None or told[0] != _PROTOCOL:
        return
    head, newline, items = told[3].partition(b"\n")
    headers = msgspec.json.decode(head)
    headers.pop("dsn", None)
    body = msgspec.json.encode(headers) + newline + items
    yield Made("original", body, max(1, rows_of_original(frame)))


def _nothing(_frame: Frame, _rows: list[Signal], _name: str) -> Iterator[Made]:
    return iter(())


def _events(frame: Frame, rows: list[Any], name: str) -> Iterator[Made]:
    for number, row in enumerate(rows):
        event = event_of(frame, row, name=row.error_id or f"{name}/{number}")
        yield _made("error", Item(PayloadRef(json=event), type="event"), id=event["event_id"])


def _transactions(frame: Frame, rows: list[Any], name: str) -> Iterator[Made]:
    """Spans that begin something, each with what is below it; others have nobody to belong to."""
    spans = cast("list[Span]", rows)
    for number, (root, below) in enumerate(_trees(spans)):
        told = transaction_of(frame, root, below, name=f"{name}/{number}")
        item = Item(PayloadRef(json=told), type="transaction")
        yield _made("transaction", item, rows=1 + len(below), id=told["event_id"])


def _trees(spans: list[Span]) -> list[tuple[Span, list[Span]]]:
    by_id = {span.span_id: span for span in spans}
    trees: dict[str, tuple[Span, list[Span]]] = {
        span.span_id: (span, []) for span in spans if _begins(span)
    }
    for span in spans:
        if span.span_id in trees:
            continue
        above, steps = by_id.get(span.parent_id), 0
        while above is not None and above.span_id not in trees and steps < len(spans):
            above, steps = by_id.get(above.parent_id), steps + 1
        if above is not None and above.span_id in trees:
            below = trees[above.span_id][1]
            if len(below) < _MOST_SPANS:
                below.append(span)
    return [*trees.values()]


def _begins(span: Span) -> bool:
    return not span.parent_id or span.kind in _BEGINS


def _sessions(frame: Frame, rows: list[Any], name: str) -> Iterator[Made]:
    for number, row in enumerate(rows):
        told = session_of(frame, row, name=f"{name}/{number}")
        yield _made("session", Item(PayloadRef(json=told), type="session"))


def _checkins(frame: Frame, rows: list[Any], name: str) -> Iterator[Made]:
    for number, row in enumerate(rows):
        told = checkin_of(frame, row, name=f"{name}/{number}")
        yield _made("monitor", Item(PayloadRef(json=told), type="check_in"))


def _logs(frame: Frame, rows: list[Any], _name: str) -> Iterator[Made]:
    for start in range(0, len(rows), _MOST_LOGS):
        logs = cast("list[Log]", rows[start : start + _MOST_LOGS])
        items = [log_of(frame, log) for log in logs]
        headers = {"item_count": len(items)}
        payload = PayloadRef(json={"items": items})
        item = Item(payload, headers=headers, type="log", content_type=_LOG_TYPE)
        yield _made("log_item", item, rows=len(items))


def _made(category: str, item: Item, *, rows: int = 1, id: str = "") -> Made:
    envelope = Envelope(headers={"event_id": id} if id else {}, items=[item])
    return Made(category, envelope.serialize(), rows)


_MAKERS = {
    "error": _events,
    "span": _transactions,
    "session": _sessions,
    "checkin": _checkins,
    "log": _logs,
}
