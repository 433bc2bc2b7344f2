"""Where each context stands in its trace, and how what happens there is written down.

A finished span is nine integers in a page of memory that outlives the process (`ring`), each thread
writing to pages of its own (`lanes`), so that no lock is needed. An open span has a slot in the
ring, which says as much as is known at its start: the slot is taken off a list that all threads
share, and put back at the end.
"""

from __future__ import annotations

import os
from _random import Random
from contextvars import ContextVar

from qmon_sdk.accelerator import speedups
from qmon_sdk.client import current, failed
from qmon_sdk.context import SCOPE
from qmon_sdk.either_with import EitherWith
from qmon_sdk.protocol import flight
from qmon_sdk.transports.originals import get_ident

from .ring import NO_SLOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Self

    from .lanes import Lane
    from .sites import Site

pack_row = flight.ROW.pack_into
pack_open = flight.OPEN.pack_into
pack_inside = flight.OPEN_INSIDE.pack_into

_RANDOM = Random()  # for ids, not secrets; `import random` costs 5 ms
draw = _RANDOM.getrandbits


def draw_id() -> str:
    """Draw an id of 128 bits, in hex."""
    return draw(128).to_bytes(16).hex()


def reseed() -> None:
    """Draw other ids from now on than any other process does, as a forked child must."""
    _RANDOM.seed(int.from_bytes(os.urandom(32), "big"))


class PureCell:
    """What the hot path looks at of a cell; the accelerator has one of its own."""

    __slots__ = (
        "always",
        "ids",
        "lane",
        "slot",
        "slots",
        "span",
        "thread",
        "trace_hi",
        "trace_lo",
    )

    lane: Lane
    ids: Iterator[int]
    slots: Iterator[int]
    always: bool

    def __init__(self, thread: int = 0) -> None:
        self.thread = thread
        self.span = 0
        self.trace_hi = 0
        self.trace_lo = 0
        self.slot = NO_SLOT  # of the open span whose trace this is, and whose user

    def child(self, span: int) -> Self:
        """Make the place inside `span`, for code that other code may run in between of."""
        cell = type(self)(self.thread)
        cell.span = span
        cell.trace_hi = self.trace_hi
        cell.trace_lo = self.trace_lo
        cell.lane = self.lane
        cell.ids = self.ids
        cell.slots = self.slots
        cell.always = self.always
        return cell

    def open(self, site: Site, parent: int, started: int, text: bytes = b"") -> None:  # noqa: PLR0917
        """Note in the ring that the span of this place is open, and what it is about."""
        lane = self.lane
        try:
            slot = lane.opens.pop()
        except IndexError:
            return
        what = site.number
        if text:
            at = slot + flight.OPEN_TEXT
            text = text[: flight.OPEN_TEXT_BYTES].ljust(flight.OPEN_TEXT_BYTES, b"\0")
            lane.buf[at : at + flight.OPEN_TEXT_BYTES] = text
            what |= flight.HAS_TEXT
        pack_open(
            lane.buf, slot, self.trace_hi, self.trace_lo, SCOPE.get().who, what, parent,
            lane.thread, started, self.span,
        )  # fmt: skip
        self.slot = slot

    def close(self) -> None:
        """Note that it has ended."""
        slot = self.slot
        if slot != NO_SLOT:
            lane = self.lane
            lane.marks[slot + flight.OPEN_SPAN >> 3] = 0
            lane.opens.append(slot)
            self.slot = NO_SLOT


_Cell = PureCell
if not TYPE_CHECKING and speedups is not None:
    _Cell = speedups.Cell


class Cell(_Cell):
    """One context's place in its trace.

    It is changed in place by calls that cannot be interleaved, and replaced in its context by those
    that can: coroutines, generators and `with span()` blocks.
    """

    __slots__ = ()

    def begin_trace(self, name: str) -> int:
        """Draw the id of a new trace, and decide whether it is kept."""
        lane = self.lane
        self.trace_lo = trace = draw(64)
        self.keep(lane.owner.sampler.keeps(trace, name))
        return trace

    def keep(self, kept: bool) -> None:  # noqa: FBT001 - a decision, made elsewhere
        """Record what follows in this trace, or count it only."""
        self.slots = self.lane.slots if kept else self.lane.wasting

    @property
    def kept(self) -> bool:
        """Whether this trace is recorded, or was left out by sampling."""
        return self.slots is self.lane.slots

    def introduce(self, who: int) -> None:
        """Note in the ring who the open span around here is for by now."""
        if self.slot == NO_SLOT:
            return
        at, marks = self.slot >> 3, self.lane.marks
        # A slot that is no longer ours is of another trace, or of none.
        if (marks[at], marks[at + 1]) == (self.trace_hi, self.trace_lo):
            marks[self.slot + flight.OPEN_WHO >> 3] = who


_STATUSES = {status: number << flight.STATUS_SHIFT for number, status in enumerate(flight.STATUSES)}


MORE = "\0more"
"""Under this key among a row's attributes, what has columns of its own: `(events, links, began)`.

`events` and `links` are JSON, as `protocol.signals.Span` has them; `began` is when the span began,
in nanoseconds since 1970, where somebody said so, or `None`.
"""


def write_row(cell: Cell, row: tuple[Any, ...]) -> None:
    """Record one finished span; the hot paths do it in their own way.

    `row`: site, scope, status, trace (high, low), span, parent, start, duration, attributes.
    """
    if speedups is not None and speedups.write_row(cell, row, _STATUSES):
        return
    site, scope, status, high, low, span, parent, start, took, extra = row
    lane, slots = cell.lane, cell.slots
    if cell.thread != get_ident():  # ended by another thread than it began in
        lane = lane.owner.lane()
        slots = lane.slots if cell.kept else lane.wasting
    number = 0
    if extra and slots is lane.slots:
        try:
            number, start = _kept(lane, extra, start)
        except Exception as error:  # noqa: BLE001 - the guard: we are inside of somebody's call
            failed("attributes", error)
    at = next(slots)
    what = site.number | _STATUSES.get(status, 0)
    pack_row(lane.rows, at, start, took, high, low, parent, what, scope.who, number, span)


def _kept(lane: Lane, extra: dict[str, Any], start: int) -> tuple[int, int]:
    """Keep attributes, and what is none: returns their number, and when the span began."""
    if MORE not in extra:
        return lane.extras.keep(extra), start
    events, links, began = extra.pop(MORE)
    apart = {key: said for key, said in ((flight.EVENTS, events), (flight.LINKS, links)) if said}
    number = lane.extras.keep(extra, apart)
    return number, start if began is None else began - lane.ring.clock


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
    cell.keep(before is NOWHERE or not cell.span or before.kept)
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


class continue_position(EitherWith):  # noqa: N801 - a context manager reads like a function
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
        cell.keep(sampled)
        self._inner = cell
        CELL.set(cell)

    def __exit__(self, *_: object) -> None:
        """Go back, unless this is another context by now."""
        if self._inner is not None and CELL.get() is self._inner and self._outer is not None:
            CELL.set(self._outer)
