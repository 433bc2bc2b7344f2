"""Finished spans on their way to the recorder, and those that sampling left out."""

from __future__ import annotations

from time import perf_counter_ns

from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from qmon_sdk.client import guarded
from qmon_sdk.context import SCOPE
from qmon_sdk.recorder.cells import here, write_row
from qmon_sdk.recorder.sites import Site

from .native import state_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class LeftOutSpan(NonRecordingSpan):
    """A span of a trace that sampling left out: it is passed on, and counted when it ends."""

    def __init__(self, place: tuple[Any, ...], flags: int) -> None:
        identity, high, low, _, state = place
        self._ids = (high, low, identity)
        self._is_open = True
        super().__init__(
            SpanContext(
                high << 64 | low,
                identity,
                is_remote=False,
                trace_flags=TraceFlags(flags & ~TraceFlags.SAMPLED),
                trace_state=state_of(state) if type(state) is str else state,
            )
        )

    def end(self, end_time: int | None = None) -> None:
        """Count it, once."""
        if self._is_open:
            self._is_open = False
            _count(self._ids)


@guarded
def _count(ids: tuple[int, int, int]) -> None:
    row = (_LEFT_OUT, SCOPE.get(), "unset", *ids, 0, perf_counter_ns(), 0, None)
    written(row, kept=False)


_LEFT_OUT = Site("(left out)")


def written(row: tuple[Any, ...], *, kept: bool = True) -> None:
    """Record a finished span in the calling thread's lane, wherever that thread stands."""
    cell = here()
    if cell is None:
        return
    if cell.kept != kept:
        cell = cell.child(0)
        cell.keep(kept)
    write_row(cell, row)
