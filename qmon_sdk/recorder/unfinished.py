"""Spans that are open when nobody records any more: they are told as far as they got."""

from __future__ import annotations

from time import time_ns

from qmon_sdk.protocol import flight
from qmon_sdk.protocol.errors import FrameError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from qmon_sdk.protocol.flight_reader import OpenSpan
    from qmon_sdk.protocol.signals import Span

    from .lanes import Lane
    from .ring import Ring

_FIRST = flight.OPENS_AT + flight.OPEN_BYTES + flight.OPEN_SPAN >> 3
_LAST, _STEP = flight.NOTES_AT >> 3, flight.OPEN_BYTES >> 3


class Unfinished:
    """The spans that were open at a moment, less those whose rows turn up after it.

    Rows are taken for the last time after that moment, so each span is told once: by its row if it
    has ended by then, else as one that is open still.
    """

    def __init__(self, rings: Iterable[Ring], lanes: Iterable[Lane], told: set[str]) -> None:
        self._told = told  # at another end: a hook of the program's may be later than ours
        self._open = {
            each.span.span_id: each
            for ring in rings
            for each in _open_in(ring)
            if each.span.span_id not in told
        }
        for lane in lanes:
            # Its thread may stand between the row of a span, which has left, and the mark.
            self.ended(lane.latest)

    def ended(self, spans: Iterable[int]) -> None:
        """Leave out those that have ended meanwhile."""
        if self._open:
            for span in spans:
                self._open.pop(f"{span:016x}", None)

    def spans(self) -> list[Span]:
        """Write the others as the agent does with those of a process that died."""
        now = time_ns()
        self._told.update(self._open)
        return [_cut_off(each, now) for each in self._open.values()]


def _cut_off(each: OpenSpan, now: int) -> Span:
    span = each.span
    said = {**span.attributes, "qmon.open": "true", "thread.id": str(each.thread)}
    return span.replace(duration_ns=max(now - span.time, 0), attributes=said)


def _open_in(ring: Ring) -> tuple[OpenSpan, ...]:
    if not any(ring.words[_FIRST:_LAST:_STEP]):
        return ()
    from qmon_sdk.protocol.flight_reader import read_flight  # few ever need it

    try:
        return read_flight(bytes(ring.buf)).open_spans
    except FrameError:  # it has not taken off yet
        return ()
