"""Spans of one lot that leave together, so that a crash cannot tell which of them have left.

Which group a span is in depends on nothing but its lot: those whose trace has its root there are
decided upon at about the same time, the rest when it comes.
"""

from __future__ import annotations

from qmon_agent.ingest.lots import Lot
from qmon_sdk.protocol.signals import Signal, Span

from .marks import marked
from .policy import Verdict


class Group:
    """Rows in the order of their lot; each is held until its trace has been decided upon."""

    __slots__ = ("_dropped", "_lot", "_rows", "left", "size")

    def __init__(self, lot: Lot, name: bytes) -> None:
        # Who speaks, without the lot's rows: those that are dropped shall be gone.
        self._lot = lot.part((), name=name)
        self._rows: list[Signal | None] = []
        self._dropped = 0
        self.left = 0
        """How many rows nobody has decided upon yet."""
        self.size = 0
        """Bytes, about, of those that are kept and wait for the others."""

    @property
    def record_id(self) -> int:
        return self._lot.origin.record_id

    def __len__(self) -> int:
        return len(self._rows)

    def hold(self, span: Signal) -> int:
        """Its place."""
        self._rows.append(span)
        self.left += 1
        return len(self._rows) - 1

    def decide(self, place: int, verdict: Verdict) -> None:
        """On a row that was held."""
        self.left -= 1
        self._rows[place] = self._sifted(self._rows[place], verdict)

    def add(self, span: Signal, verdict: Verdict | None) -> None:
        """A row that need not wait; without a verdict it is nobody's business and stays."""
        self._rows.append(self._sifted(span, verdict) if verdict else span)

    def release(self) -> Lot:
        """What is kept, and how many are not."""
        kept = [row for row in self._rows if row is not None]
        made = self._lot.part(kept)
        made.dropped = self._dropped
        return made

    def _sifted(self, span: Signal | None, verdict: Verdict) -> Signal | None:
        if verdict.is_kept and isinstance(span, Span):
            return marked(span, verdict.threshold, verdict.reason)
        self._dropped += 1
        return None
