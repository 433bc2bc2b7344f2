"""A thread's lane: its pages of rows in the flight ring, and the permits to write to them.

A lane's iterators are all that the hot path asks. `slots` tells the place of the next row; where
rows are not to be kept, it leads to a place that nobody reads. `ids` hands out span ids in ranges,
and asks the lane for the next range once in `PERMITS` spans: a lane that may not record gives none,
`next(ids, 0)` is 0, and 0 means "do not record". So nothing is checked on the way.
"""

from __future__ import annotations

from _thread import get_native_id
from collections import deque
from itertools import chain

from qmon_sdk.accelerator import speedups
from qmon_sdk.protocol import flight

from .extras import Extras
from .ring import TRASH, private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .recorder import Recorder
    from .ring import Chunk, Ring

PERMITS = 512
_TRIES = 64  # rows that are lost before a page is asked for again


_supply = chain.from_iterable if speedups is None else speedups.Supply


class PureMemory:
    """What the hot path looks at of a lane; the accelerator has one of its own."""

    __slots__ = ("buf", "extras", "opens", "rows", "thread", "wasted", "wasting")


Memory = PureMemory
if not TYPE_CHECKING and speedups is not None:
    Memory = speedups.Lane


class Lane(Memory):
    """One thread's pages of rows, and the permits to add to them."""

    __slots__ = (
        "allowed",
        "chunks",
        "ids",
        "is_called_in",
        "latest",
        "lost",
        "marks",
        "owner",
        "read",
        "ring",
        "slots",
        "told",
    )

    def __init__(self, owner: Recorder, ring: Ring) -> None:
        self.owner = owner
        self.ring = ring
        self.buf: memoryview = ring.buf
        self.rows: memoryview = ring.buf
        self.marks = ring.words
        self.opens = ring.opens
        self.extras = ring.extras
        self.thread = get_native_id()
        self.chunks: deque[Chunk] = deque()
        self.read = 0  # rows of the first chunk that are in frames; the flusher's
        self.latest: Iterable[int] = ()  # the ids of the last of them; the flusher's
        self.wasted = self.lost = 0  # rows left out by sampling, and for want of room, so far
        self.told = (0, 0)  # of these; the flusher's
        self.allowed = True
        self.is_called_in = False
        self.ids: Iterator[int] = _supply(_Permits(self))
        self.slots: Iterator[int] = _supply(_Pages(self))
        self.wasting: Iterator[int] = _Wasting(self)

    def close(self) -> None:
        """Hand out no id any more, and take back the range that is being handed out."""
        self.allowed = False
        for _ in self.ids:
            pass

    def disown(self) -> None:
        """End in a forked child: what is still written must not reach the parent's memory."""
        self.close()
        self.buf = self.rows = memoryview(private(flight.SIZE))
        self.marks = self.buf.cast("Q")
        self.opens = []
        self.extras = Extras()

    def missing(self) -> tuple[int, int]:
        """Count the rows left out by sampling, and for want of room, since this was last asked."""
        before, self.told = self.told, (self.wasted, self.lost)
        return self.told[0] - before[0], self.told[1] - before[1]

    def call_in(self) -> None:
        """Take back the rest of the range, so that the next span has to ask; for its own thread."""
        self.is_called_in = self.allowed
        while self.is_called_in and next(self.ids, 0):
            pass


class _Pages:
    """Places for rows, a page at a time."""

    __slots__ = ("lane",)

    def __init__(self, lane: Lane) -> None:
        self.lane = lane

    def __iter__(self) -> _Pages:
        return self

    def __next__(self) -> Iterator[int] | range:
        lane = self.lane
        chunk = lane.owner.chunk(lane) if lane.allowed else None
        if chunk is None:
            return _Losing(lane)
        places = chunk.begin(lane.thread)
        lane.rows = chunk.buf
        lane.chunks.append(chunk)
        return places


class _Wasting:
    """The place of rows that sampling leaves out: counted, and read by nobody."""

    __slots__ = ("lane",)

    def __init__(self, lane: Lane) -> None:
        self.lane = lane

    def __iter__(self) -> _Wasting:
        return self

    def __next__(self) -> int:
        self.lane.wasted += 1
        return TRASH


class _Losing:
    """The same for rows that find no room, until it is time to ask for room again."""

    __slots__ = ("lane", "left")

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.left = _TRIES

    def __iter__(self) -> _Losing:
        return self

    def __next__(self) -> int:
        if not self.left:
            raise StopIteration
        self.left -= 1
        self.lane.lost += 1
        return TRASH


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
