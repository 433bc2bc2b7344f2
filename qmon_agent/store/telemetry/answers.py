"""What the store answers: rows of a query, and how it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from qmon_agent.journal import Position


class Column(msgspec.Struct, frozen=True):
    """One column of an answer: its name and the engine's name of its type."""

    name: str
    type: str


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the journal an answer was made of."""

    stored_record: int
    """The rows of everything up to this record are in the answer; it may have later ones."""
    behind_records: int
    """How many records the journal had beyond that."""

    @classmethod
    def of(cls, stored: int, committed: int) -> Freshness:
        """Where the journal goes up to `committed`."""
        return cls(stored_record=stored, behind_records=max(0, committed - stored))


class QueryResult(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a query, every value fit for JSON: times as ISO 8601 with ns, maps as objects."""

    columns: tuple[Column, ...]
    rows: list[list[Any]]
    truncated: bool = False
    """There were more rows than the limit."""
    missing: tuple[str, ...] = ()
    """Sentences about segments that were left out because they are damaged."""
    freshness: Freshness | None = None
    """Of a store that reads on; nothing where the journal was read to its end for the answer."""
    elapsed_ms: float = 0.0
    written: bytes | None = None
    """What `records` has, in JSON, where it was asked for so; then `rows` is empty."""

    def behind(self, committed: int) -> QueryResult:
        """The same, of a store whose journal went up to this record."""
        if self.freshness is None:
            return self
        fresh = Freshness.of(self.freshness.stored_record, committed)
        return msgspec.structs.replace(self, freshness=fresh)

    def told(self) -> list[dict[str, Any]] | msgspec.Raw:
        """The rows as objects, for an encoder of JSON."""
        return self.records() if self.written is None else msgspec.Raw(self.written)

    def records(self) -> list[dict[str, Any]]:
        """The rows as objects, as `query --json` prints them."""
        if self.written is not None:
            records: list[dict[str, Any]] = msgspec.json.decode(self.written)
            return records
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


class StateTable(msgspec.Struct, frozen=True, kw_only=True):
    """Rows from the state store that a query may read as a view."""

    columns: Mapping[str, str]
    """Name → role: text, whole, number, flag, time or labels."""
    rows: Sequence[Mapping[str, Any]] = ()


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a user's rows; by table."""

    removed: Mapping[str, int] = {}
    held: Mapping[str, int] = {}
    """Rows that are the user's still, because a hold keeps them."""
    rewritten: int = 0
    """Segments that were written anew."""
    emptied: int = 0
    """Segments that had nobody else's rows."""
    set_aside: int = 0
    """Damaged files that nobody could look into, and that are there still."""


class StoreStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the store is."""

    state: str
    """starting, running, restarting or stopped"""
    stored: Position = Position()
    """Read and committed up to here."""
    exported: Position = Position()
    """Safe in Parquet up to here: the journal may be trimmed below."""
    committed: Position = Position()
    """What the journal holds for certain."""
    rows: Mapping[str, int] = {}
    """Table → rows kept, hot and in segments."""
    is_counted: bool = True
    """Whether these are the rows of now: a server may be away, or be taking some of them out."""
    counts: Mapping[str, int] = {}
    """What happened since the worker started: frames, rows, skipped, buried, rebuilt, ..."""
    forgotten: Mapping[str, int] = {}
    """Table → rows that were given up because somebody asked to be forgotten."""
    segments: int = 0
    segment_bytes: int = 0
    hot_bytes: int = 0
    damaged: tuple[str, ...] = ()
    """Sentences about segments that were set aside."""
    damaged_rows: Mapping[str, int] = {}
    """Table → rows of segments that were set aside, also of those that were removed since."""
    ended: str = ""
    """Why the last worker gave up, until another has stored what that one could not."""
    rss_bytes: int = 0
    restarts: int = 0
    pid: int = 0

    @property
    def lag(self) -> int:
        """Records that the journal has and the store has not."""
        return max(0, self.committed.record_id - self.stored.record_id)
