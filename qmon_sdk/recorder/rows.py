"""Finished spans, from the pages they were written to, to a block of columns."""

from __future__ import annotations

from qmon_sdk.accelerator import speedups
from qmon_sdk.protocol import flight
from qmon_sdk.protocol.arrays import U32, U64, packed, unpacked
from qmon_sdk.protocol.columns import Block

from .extras import columns_of
from .people import PEOPLE
from .sites import SITES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from typing import Any

    from .extras import Extras
    from .lanes import Lane
    from .ring import Chunk
    from .sites import Site

WIDTH = flight.ROW_BYTES // 8
_TIME, _DURATION, _HIGH, _LOW, _PARENT, _WHAT, _WHO, _EXTRA, _SPAN = range(WIDTH)
_NOTHING = bytes(8)
_LATEST = 8  # one, and those of handlers of signals that came in between


class Rows:
    """Rows of one lane that were taken together, as columns of bytes, and where they came from."""

    __slots__ = ("_chunks", "_ends", "columns", "count", "distinct", "has_more", "places")

    def __init__(self, chunks: list[Chunk], start: int, most: int) -> None:
        columns, ends = _gather(chunks, start, most)
        self.columns: list[bytes] = columns
        self._ends: list[int] = ends
        self._chunks = chunks[: len(self._ends)]
        self.count = len(self.columns[_SPAN]) // 8
        self.has_more = bool(most) and sum(self._ends) - start == most
        self.distinct, self.places = _distinct(self.columns[_WHAT])

    def give_up(self, lane: Lane) -> None:
        """Let the lane's pages go: the rows are in a frame, or are not wanted."""
        _let_go(self._chunks, self._ends)
        for chunk, end in zip(self._chunks, self._ends, strict=True):
            lane.read = end
            if end == flight.ROWS:
                lane.read = 0
                lane.chunks.popleft()
                lane.ring.give_back(chunk)

    def sites(self) -> list[Site]:
        """List the site of each of the `distinct` words in which rows say what they are."""
        return [SITES[what & flight.SITE_MASK] for what in self.distinct]

    def durations(self) -> list[tuple[int, int]]:
        """Pair each row's place among the `distinct` ones with its duration."""
        places = unpacked(U32, self.places) if self.places else [0] * self.count
        return list(zip(places, unpacked("q", self.columns[_DURATION]), strict=True))

    def spans(self) -> array[int]:
        """Tell the ids of these spans."""
        return unpacked(U64, self.columns[_SPAN])

    def latest(self) -> array[int]:
        """Tell the ids of the last of them."""
        return unpacked(U64, self.columns[_SPAN][-8 * _LATEST :])


def take(lane: Lane, most: int) -> Rows:
    """Read up to `most` finished rows of a lane, oldest first; `give_up` lets them go."""
    return Rows(list(lane.chunks), lane.read, most)


def pure_gather(chunks: list[Chunk], start: int, most: int) -> tuple[list[bytes], list[int]]:
    """Read up to `most` rows of pages, from a row of the first on: columns, and each page's end."""
    parts: list[bytes] = []
    ends: list[int] = []
    last = len(chunks) - 1
    for place, chunk in enumerate(chunks):
        # Where its thread is on the next page, what is missing never comes.
        end = min(_written(chunk, start) if place == last else flight.ROWS, start + most)
        if end == start:
            break
        parts.append(chunk.read(start, end))
        ends.append(end)
        most -= end - start
        start = 0
        if end < flight.ROWS:
            break
    return pure_split(b"".join(parts)), ends


def _written(chunk: Chunk, start: int) -> int:
    """Say up to where the rows of a page have their last word."""
    first = (chunk.at + flight.CHUNK_HEAD >> 3) + _SPAN
    last = first + (flight.ROWS - 1) * WIDTH
    if chunk.words[last]:  # a thread fills its page from the start
        return flight.ROWS
    marks = chunk.words[first + start * WIDTH : last + 1 : WIDTH].tolist()
    return start + [*marks, 0].index(0)


def pure_let_go(chunks: list[Chunk], ends: list[int]) -> None:
    """Say how many rows of pages are in frames; those that are done are ready for others."""
    for chunk, end in zip(chunks, ends, strict=True):
        chunk.taken(end)
        if end == flight.ROWS:
            chunk.clear()


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


def pure_alike(column: bytes) -> bool:
    """Say whether all words are the same: quick when the last is not the first."""
    return column[:8] == column[-8:] and column == column[:8] * (len(column) >> 3)


_gather = pure_gather if speedups is None else speedups.gather
_let_go = pure_let_go if speedups is None else speedups.let_go
_places = pure_places if speedups is None else speedups.places
_alike = pure_alike if speedups is None else speedups.alike


def span_block(rows: Rows, clock: int, extras: Extras, *, packed: bool = False) -> Block:
    """Write rows as a block of spans: a pass for each column, none for each row.

    `clock` is what to add to their times; `extras` has what was said of single ones. With
    `packed`, columns may come as they stand in a frame.
    """
    columns = rows.columns
    names, kinds, statuses, attributes = _by_what(rows)
    users, sessions = _by_who(columns[_WHO])
    events: Any = ""
    links: Any = ""
    if columns[_EXTRA].count(0) < len(columns[_EXTRA]):
        sites = [site.attributes for site in rows.sites()]
        attributes, events, links = columns_of(
            extras, sites, places=rows.places, numbers=columns[_EXTRA], packed=packed
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


def _by_what(rows: Rows) -> list[Any]:
    """Write what sites and statuses say: names, kinds, statuses, attributes."""
    sites = rows.sites()
    said: list[list[Any]] = [
        [site.name for site in sites],
        [site.kind for site in sites],
        [flight.STATUSES[what >> flight.STATUS_SHIFT] for what in rows.distinct],
        [site.attributes for site in sites],
    ]
    return [_spread(texts, rows.places) for texts in said]


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
