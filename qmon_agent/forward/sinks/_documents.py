"""Signals as documents and sentences, for backends that keep texts rather than columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from qmon_agent.forward.batch import Batch, signals_of
from qmon_sdk.protocol.frames import Frame

_NS = 1_000_000_000
# A year that `datetime` has; a stranger may say any time.
_LATEST_S = 253_402_300_799

encode = msgspec.json.Encoder().encode


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One signal: who said it, and its place in the batch, which is the same each time."""

    frame: Frame
    kind: str
    row: Any
    line: int

    @property
    def sentence(self) -> str:
        """What a person would read of it."""
        return _SENTENCES[self.kind](self.row)

    @property
    def level(self) -> str:
        return _level(self.kind, self.row)

    @property
    def resource(self) -> dict[str, str]:
        """Who speaks, as far as it is said."""
        who = self.frame.resource
        told = {
            "service": who.service,
            "release": who.release,
            "environment": who.environment,
            "host": who.host,
        }
        return {key: value for key, value in told.items() if value}

    def fields(self) -> dict[str, Any]:
        """What the row says that is not just a default; times stay nanoseconds."""
        row = self.row
        return {
            field.name: value
            for field, value in zip(row.FIELDS, row, strict=True)
            if field.name != "time" and (value or field.role in {"Number", "Flag"})
        }


def documents_of(batch: Batch, kinds: tuple[str, ...] = ()) -> Iterator[Document]:
    """All of some kinds, or of every kind, numbered through the whole batch."""
    line = 0
    for frame in batch.frames:
        for kind, rows in signals_of(frame):
            if kinds and kind not in kinds:
                line += len(rows)
                continue
            for row in rows:
                line += 1
                yield Document(frame=frame, kind=kind, row=row, line=line)


def pieces_of(documents: Iterator[Document], most: int) -> Iterator[list[Document]]:
    """So many at once, the last ones fewer."""
    piece: list[Document] = []
    for document in documents:
        piece.append(document)
        if len(piece) >= most:
            yield piece
            piece = []
    if piece:
        yield piece


def told_time(ns: int) -> str:
    """RFC 3339 with nanoseconds, in UTC."""
    seconds, rest = divmod(max(0, ns), _NS)
    moment = datetime.fromtimestamp(min(seconds, _LATEST_S), UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def _level(kind: str, row: Any) -> str:
    if kind in {"log", "error"}:
        return str(row.level).lower() or "info"
    if kind == "finding":
        return {"high": "error", "critical": "error", "medium": "warning"}.get(row.severity, "info")
    bad = {"error", "failed", "missed", "timeout", "crashed"}
    return "error" if getattr(row, "status", "") in bad else "info"


def _ms(ns: int) -> str:
    return f"{ns / 1_000_000:.3f} ms"


_SENTENCES: dict[str, Callable[[Any], str]] = {
    "span": lambda row: f"{row.name} took {_ms(row.duration_ns)}",
    "error": lambda row: f"{row.type}: {row.message}",
    "event": lambda row: row.name,
    "session": lambda row: f"session {row.status} after {_ms(row.duration_ns)}",
    "point": lambda row: f"{row.metric} {row.value:g}{row.unit and ' ' + row.unit}",
    "log": lambda row: row.body,
    "checkin": lambda row: f"{row.monitor}: {row.status}",
    "snapshot": lambda row: f"{row.measure} {row.value:g}",
    "finding": lambda row: f"{row.rule} {row.path}:{row.line}: {row.message}",
}
