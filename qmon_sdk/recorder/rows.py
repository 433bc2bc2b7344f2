"""Finished spans, from the pages they were written to, to a block of columns."""

from __future__ import annotations

from array import array

from qmon_sdk.accelerator import speedups
from qmon_sdk.protocol import flight
from qmon_sdk.protocol.arrays import U32, U64, packed, unpacked
from qmon_sdk.protocol.columns import Block

from .extras import columns_of
from .people import PEOPLE
from .sites import SITES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .extras import Extras
    from .lanes import Lane
    from .ring import Chunk

WIDTH = flight.ROW_BYTES // 8
_TIME, _DURATION, _HIGH, _LOW, _PARENT, _WHAT, _WHO, _EXTRA, _SPAN = range(WIDTH)
_NOTHING = bytes(8)


class Rows:
    """Rows of one lane that were taken together, as columns of bytes, and where they came from."""

    __slots__ = ("_ends", "columns", "count")

    def __init__(self, columns: list[bytes], ends: list[tuple[Chunk, int]]) -> None:
        self.columns = columns
        self.count = len(columns[_SPAN]) // 8
        self._ends = ends

    def give_up(self, lane: Lane) -> None:
        """Let the lane's pages go: the rows are in a frame, or are not wanted."""
        for chunk, end in self._ends:
            chunk.taken(end)
            lane.read = end
            if end == flight.ROWS:
                lane.read = 0
                lane.chunks.popleft()
                lane.ring.give_back(chunk)

    def numbers(self, column: int) -> array[int]:
        """Read one column."""
        return unpacked(U64, self.columns[column])

    def durations_by_site(self) -> zip[tuple[int, int]]:
        """Pair the number of each row's site with its duration."""
        sites = [what & flight.SITE_MASK for what in self.numbers(_WHAT)]
        return zip(sites, unpacked("q", self.columns[_DURATION]), strict=True)

    def sites(self) -> set[int]:
        """Number the sites of these rows."""
        return {what & flight.SITE_MASK for what in set(self.numbers(_WHAT))}


def take(lane: Lane, most: int) -> Rows:
    """Read up to `most` finished rows of a lane, oldest first; `give_up` lets them go."""
    parts: list[bytes] = []
    ends: list[tuple[Chunk, int]] = []
    start, last = lane.read, len(lane.chunks) - 1
    for place, chunk in enumerate(list(lane.chunks)):
        end = _written(chunk, start)
        if end < flight.ROWS and place < last:
            end = flight.ROWS  # its thread is on the next page: what is missing never comes
        end = min(end, start + most)
        if end == start:
            break
        parts.append(chunk.read(start, end))
        ends.append((chunk, end))
        most -= end - start
        start = 0
        if end < flight.ROWS or not most:
            break
    return Rows(_split(b"".join(parts)), ends)


def _written(chunk: Chunk, start: int) -> int:
    """Say up to where the rows of a page have their last word."""
    first = (chunk.at + flight.CHUNK_HEAD >> 3) + _SPAN
    last = first + (flight.ROWS - 1) * WIDTH
    if chunk.words[last]:  # a thread fills its page from the start
        return flight.ROWS
    marks = chunk.words[first + start * WIDTH : last + 1 : WIDTH].tolist()
    return start + marks.index(0)


def pure_split(rows: bytes) -> list[bytes]:
    """Cut rows into columns, and leave out those that were begun and never finished.

    A signal's handler raised in between, or their thread was let go.
    """
    words = memoryview(rows).cast("Q")
    columns = [words[place::WIDTH].tobytes() for place in range(WIDTH)]
    spans = unpacked(U64, columns[_SPAN])
    if 0 not in spans:
        return columns
    return [
        packed(U64, [n for n, span in zip(unpacked(U64, column), spans, strict=True) if span])
        for column in columns
    ]


def pure_places(column: bytes) -> tuple[list[int], bytes]:
    """List the different numbers of a column, and write each row's place among them."""
    numbers = unpacked(U64, column)
    index = {number: place for place, number in enumerate(dict.fromkeys(numbers))}
    return list(index), packed(U32, map(index.__getitem__, numbers))


_split = pure_split if speedups is None else speedups.split
_places = pure_places if speedups is None else speedups.places


def span_block(rows: Rows, clock: int, extras: Extras) -> Block:
    """Write rows as a block of spans: a pass for each column, none for each row.

    `clock` is what to add to their times; `extras` has what was said of single ones.
    """
    columns = rows.columns
    names, kinds, statuses, attributes = _by_what(columns[_WHAT])
    users, sessions = _by_who(columns[_WHO])
    events: Any = ""
    links: Any = ""
    if columns[_EXTRA].count(0) < len(columns[_EXTRA]):
        distinct, places = _distinct(columns[_WHAT])
        sites = [SITES[what & flight.SITE_MASK].attributes for what in distinct]
        attributes, events, links = columns_of(
            extras, sites, places=places, numbers=columns[_EXTRA]
        )
    return Block(
        kind="span",
        rows=rows.count,
        columns=(
            ["o", clock, columns[_TIME]],
            _trace_ids(columns[_HIGH], columns[_LOW]),
            _span_ids(columns[_SPAN]),
            _span_ids(columns[_PARENT]),
            names,
            kinds,
            columns[_DURATION],
            statuses,
            users,
            sessions,
            attributes,
            events,
            links,
        ),
    )


def _trace_ids(highs: bytes, lows: bytes) -> Any:
    """Write trace ids: as one text when all rows are of one trace."""
    if _alike(lows) and _alike(highs):
        return _hex(highs) + _hex(lows)
    return ["x2", highs, lows]


def _span_ids(ids: bytes) -> Any:
    if _alike(ids):
        return _hex(ids) if ids[:8] != _NOTHING else ""
    return ["x1", ids]


def _hex(ids: bytes) -> str:
    return ids[7::-1].hex()  # little-endian, as all of a ring


def _alike(values: bytes) -> bool:
    """Say whether all words are the same: quick when the last is not the first."""
    return values[:8] == values[-8:] and values == values[:8] * (len(values) >> 3)


def _by_what(column: bytes) -> list[Any]:
    """Write what sites and statuses say: names, kinds, statuses, attributes."""
    distinct, places = _distinct(column)
    sites = [SITES[what & flight.SITE_MASK] for what in distinct]
    said: list[list[Any]] = [
        [site.name for site in sites],
        [site.kind for site in sites],
        [flight.STATUSES[what >> flight.STATUS_SHIFT] for what in distinct],
        [site.attributes for site in sites],
    ]
    return [_spread(texts, places) for texts in said]


def _by_who(column: bytes) -> list[Any]:
    """Write who the rows are of: users and sessions."""
    distinct, places = _distinct(column)
    people = [PEOPLE[number] for number in distinct]
    said = [who.user_id for who in people], [who.session_id for who in people]
    return [_spread(texts, places) for texts in said]


def _distinct(column: bytes) -> tuple[list[int], bytes]:
    """List the different numbers of a column; their places, unless it is but one."""
    if _alike(column):
        return [int.from_bytes(column[:8], "little")], b""
    return _places(column)


def _spread(texts: list[Any], places: bytes) -> Any:
    """Write a column that depends on few numbers: each text once, and a place for each row."""
    return texts[0] if texts.count(texts[0]) == len(texts) else ["d", places, texts]
