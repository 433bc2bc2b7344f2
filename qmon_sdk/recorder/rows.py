"""Finished spans, from the pages they were written to, to a block of columns."""

from __future__ import annotations

from array import array

from qmon_sdk.protocol import flight
from qmon_sdk.protocol.arrays import U32, U64, packed, unpacked
from qmon_sdk.protocol.columns import Block, labels, words
from qmon_sdk.protocol.signals import NO_LABELS

from .people import PEOPLE
from .sites import SITES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

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
    words = memoryview(b"".join(parts)).cast("Q")
    return Rows(_whole([words[place::WIDTH].tobytes() for place in range(WIDTH)]), ends)


def _written(chunk: Chunk, start: int) -> int:
    """Say up to where the rows of a page have their last word."""
    first = (chunk.at + flight.CHUNK_HEAD >> 3) + _SPAN
    last = first + (flight.ROWS - 1) * WIDTH
    if chunk.words[last]:  # a thread fills its page from the start
        return flight.ROWS
    marks = chunk.words[first + start * WIDTH : last + 1 : WIDTH].tolist()
    return start + marks.index(0)


def _whole(columns: list[bytes]) -> list[bytes]:
    """Leave out rows that were begun and never finished: a signal's handler raised in between."""
    spans = unpacked(U64, columns[_SPAN])
    if 0 not in spans:
        return columns
    return [
        packed(U64, [n for n, span in zip(unpacked(U64, column), spans, strict=True) if span])
        for column in columns
    ]


def span_block(rows: Rows, clock: int, attributes_at: Callable[[int], dict[str, str]]) -> Block:
    """Write rows as a block of spans: a pass for each column, none for each row.

    `clock` is what to add to their times; `attributes_at` takes the attributes kept for a row.
    """
    columns = rows.columns
    whats = rows.numbers(_WHAT)
    names, kinds, statuses, attributes = _by_what(whats)
    users, sessions = _by_who(columns[_WHO], rows)
    events: Any = ""
    links: Any = ""
    if columns[_EXTRA].count(0) < len(columns[_EXTRA]):
        attributes, events, links = _extras(whats, rows.numbers(_EXTRA), attributes_at)
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


def _by_what(whats: array[int]) -> list[Any]:
    """Write what sites and statuses say: names, kinds, statuses, attributes."""
    distinct = dict.fromkeys(whats)
    sites = [SITES[what & flight.SITE_MASK] for what in distinct]
    statuses = [flight.STATUSES[what >> flight.STATUS_SHIFT] for what in distinct]
    said: list[list[Any]] = [
        [site.name for site in sites],
        [site.kind for site in sites],
        statuses,
        [site.attributes for site in sites],
    ]
    return _spread(said, distinct, whats)


def _by_who(column: bytes, rows: Rows) -> list[Any]:
    """Write who the rows are of: users and sessions."""
    if _alike(column):
        who = PEOPLE[int.from_bytes(column[:8], "little")]
        return [who.user_id, who.session_id]
    numbers = rows.numbers(_WHO)
    distinct = dict.fromkeys(numbers)
    people = [PEOPLE[number] for number in distinct]
    return _spread(
        [[who.user_id for who in people], [who.session_id for who in people]], distinct, numbers
    )


def _spread(said: list[list[Any]], distinct: dict[int, None], values: Sequence[int]) -> list[Any]:
    """Write columns that depend on few values: each value once, and a place for each row."""
    if len(distinct) == 1:
        return [texts[0] for texts in said]
    index = {value: place for place, value in enumerate(distinct)}
    places = packed(U32, map(index.__getitem__, values))
    return [
        texts[0] if texts.count(texts[0]) == len(texts) else ["d", places, texts] for texts in said
    ]


def _extras(
    whats: Sequence[int], extras: Sequence[int], attributes_at: Callable[[int], dict[str, str]]
) -> list[Any]:
    """Write what is not the same for all spans of a site: attributes, events, links."""
    said = [attributes_at(extra) if extra else NO_LABELS for extra in extras]
    events = [kept.pop(flight.EVENTS, "") if kept else "" for kept in said]
    links = [kept.pop(flight.LINKS, "") if kept else "" for kept in said]
    sites = [SITES[what & flight.SITE_MASK].attributes for what in whats]
    both = [{**site, **kept} if kept else site for site, kept in zip(sites, said, strict=True)]
    return [labels(both), words(events), words(links)]
