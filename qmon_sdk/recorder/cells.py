"""Where each context stands in its trace, and the rows that finished spans are appended to.

A span costs nothing but a handful of integers in a flat list, `WIDTH` values to a row. There is one
list to a *lane*, one lane to a thread; the flusher takes a slice off the front while the thread
goes on appending at the back, and both are single operations of the interpreter, so no lock is
needed.

Span ids are handed out in ranges. The iterator that hands them out asks the lane for the next
range, and that question, asked once in `PERMITS` spans, is where bounds are kept and recording
ends: a lane that may not record gives no range, `next(ids, 0)` is 0, and 0 means "do not record".
The hot path therefore checks nothing.
"""

from __future__ import annotations

import os
from _random import Random
from _thread import get_ident
from contextvars import ContextVar
from itertools import chain

from qmon_sdk.client import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .recorder import Recorder

WIDTH = 10
"""Values in a row: site, scope, status, trace (high, low), span, parent, start, duration, extra."""

PERMITS = 512

_RANDOM = Random()  # for ids, not secrets; `import random` costs 5 ms
draw = _RANDOM.getrandbits


def draw_id() -> str:
    """Draw an id of 128 bits, in hex."""
    return draw(128).to_bytes(16).hex()


def reseed() -> None:
    """Draw other ids from now on than any other process does, as a forked child must."""
    _RANDOM.seed(int.from_bytes(os.urandom(32), "big"))


class Lane:
    """One thread's rows, and the permits to add to them."""

    __slots__ = ("allowed", "ids", "is_called_in", "owner", "rows", "wasted")

    def __init__(self, owner: Recorder) -> None:
        self.owner = owner
        self.rows: list[Any] = []
        self.wasted: list[Any] = []  # rows of traces that sampling left out, to be counted only
        self.allowed = True
        self.is_called_in = False
        self.ids: Iterator[int] = chain.from_iterable(_Permits(self))

    def close(self) -> None:
        """Hand out no id any more, and take back the range that is being handed out."""
        self.allowed = False
        for _ in self.ids:
            pass

    def call_in(self) -> None:
        """Take back the rest of the range, so that the next span has to ask; for its own thread."""
        self.is_called_in = self.allowed
        while self.is_called_in and next(self.ids, 0):
            pass


class _Permits:
    """Ranges of span ids, one for every `PERMITS` spans, while the lane is allowed to record."""

    __slots__ = ("lane",)

    def __init__(self, lane: Lane) -> None:
        self.lane = lane

    def __iter__(self) -> _Permits:
        return self

    def __next__(self) -> range:
        lane = self.lane
        if lane.is_called_in:
            lane.is_called_in = False
            return range(1, 2)  # taken by who called it in
        first = lane.owner.refill(lane) if lane.allowed else 0
        if not first:
            raise StopIteration
        return range(first, first + PERMITS)


class Cell:
    """One context's place in its trace.

    It is changed in place by calls that cannot be interleaved, and replaced in its context by those
    that can: coroutines, generators and `with span()` blocks.
    """

    __slots__ = ("always", "ids", "lane", "rows", "span", "thread", "trace_hi", "trace_lo")

    lane: Lane
    ids: Iterator[int]
    rows: list[Any]
    always: bool

    def __init__(self, thread: int = 0) -> None:
        self.thread = thread
        self.span = 0
        self.trace_hi = 0
        self.trace_lo = 0

    def child(self, span: int) -> Cell:
        """Make the place inside `span`, for code that other code may run in between of."""
        cell = Cell(self.thread)
        cell.span = span
        cell.trace_hi = self.trace_hi
        cell.trace_lo = self.trace_lo
        cell.lane = self.lane
        cell.ids = self.ids
        cell.rows = self.rows
        cell.always = self.always
        return cell

    def begin_trace(self, name: str) -> int:
        """Draw the id of a new trace, and decide whether it is kept."""
        lane = self.lane
        self.trace_lo = trace = draw(64)
        self.rows = lane.rows if lane.owner.sampler.keeps(trace, name) else lane.wasted
        return trace

    @property
    def kept(self) -> bool:
        """Whether this trace is recorded, or was left out by sampling."""
        return self.rows is self.lane.rows


def write_row(cell: Cell, row: tuple[Any, ...]) -> None:
    """Record one finished span, in the order of `WIDTH`; the hot paths do it in their own way."""
    cell.rows += row


NOWHERE = Cell()
CELL: ContextVar[Cell] = ContextVar("qmon.cell", default=NOWHERE)


def adopt() -> Cell | None:
    """Give this context a cell of this thread, at the same place; `None` if nobody records."""
    recorder = current().recorder
    if recorder is None:
        return None
    lane = recorder.lane()
    if not lane.allowed:
        return None
    before = CELL.get()
    cell = Cell(get_ident())
    cell.trace_hi, cell.trace_lo, cell.span = recorder.trace_hi, 0, 0
    if before is not NOWHERE and before.lane.owner is recorder:
        cell.trace_hi, cell.trace_lo, cell.span = before.trace_hi, before.trace_lo, before.span
    cell.lane, cell.ids, cell.always = lane, lane.ids, recorder.sampler.always
    cell.rows = lane.rows if before is NOWHERE or not cell.span or before.kept else lane.wasted
    CELL.set(cell)
    return cell


def here() -> Cell | None:
    """Return this context's cell if somebody records, making one where there is none."""
    cell = CELL.get()
    if cell.thread == get_ident() and cell.lane.allowed:
        return cell
    return adopt()


def position() -> tuple[str, str]:
    """Say where this context stands: trace id and span id in hex, both empty outside of a span."""
    cell = CELL.get()
    if not cell.span or not cell.lane.allowed:
        return "", ""
    return f"{cell.trace_hi:016x}{cell.trace_lo:016x}", f"{cell.span:016x}"


class continue_position:  # noqa: N801 - a context manager reads like a function
    """Go on with a trace that began elsewhere: spans inside are its children."""

    __slots__ = ("_inner", "_outer", "_place")

    def __init__(self, trace_id: str, parent_id: str, *, sampled: bool = True) -> None:
        self._place = (trace_id, parent_id, sampled)

    def __enter__(self) -> None:
        """Take the place; does nothing when nobody records."""
        trace_id, parent_id, sampled = self._place
        self._outer = here()
        self._inner = None
        if self._outer is None:
            return
        cell = self._outer.child(int(parent_id, 16))
        cell.trace_hi, cell.trace_lo = int(trace_id[:16], 16), int(trace_id[16:], 16)
        cell.rows = cell.lane.rows if sampled else cell.lane.wasted
        self._inner = cell
        CELL.set(cell)

    def __exit__(self, *_: object) -> None:
        """Go back, unless this is another context by now."""
        if self._inner is not None and CELL.get() is self._inner and self._outer is not None:
            CELL.set(self._outer)

    async def __aenter__(self) -> None:
        """Take the place."""
        self.__enter__()

    async def __aexit__(self, *error: object) -> None:
        """Go back."""
        self.__exit__(*error)
