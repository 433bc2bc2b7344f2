"""The index of a block, versions 1 and 2: which series there are, and where their chunks are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import msgspec

from .cursor import Cursor, DamagedBlockError, checked, sealed

_MAGIC = 0xBAAAD700
_VERSIONS = {1, 2}
_SECTIONS = 6
_CONTENTS_BYTES = 8 * _SECTIONS + 4
_ALIGNED = 16
_SYMBOLS = 0
_SERIES = 1


class ChunkPlace(msgspec.Struct, frozen=True):
    """One chunk: its first and last millisecond, and where it is."""

    first: int
    last: int
    reference: int


class IndexedSeries(msgspec.Struct, frozen=True):
    """One series of a block."""

    reference: int
    """What tombstones call it."""
    labels: dict[str, str]
    chunks: tuple[ChunkPlace, ...]


class Index:
    """Reads series one after the other; raises DamagedBlockError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        head = Cursor(data)
        magic, self._version = head.whole(4), head.whole(1)
        if magic != _MAGIC or self._version not in _VERSIONS:
            raise DamagedBlockError("it is no index of version 1 or 2")
        self._sections = self._contents()
        self._symbols = self._read_symbols()
        self._text = lru_cache(65_536)(self._symbol)

    def places(self) -> Iterator[int]:
        """Where each series is, in the order of their labels."""
        begin = self._sections[_SERIES]
        end = min(place for place in (*self._sections, len(self._data)) if place > begin)
        place = begin
        while (place := -(-place // _ALIGNED) * _ALIGNED) < end:
            cursor = Cursor(self._data, place)
            size = cursor.unsigned()
            if not size:
                return
            yield place
            place = cursor.place + size + 4

    def series(self, place: int) -> IndexedSeries:
        """The series at a place."""
        outer = Cursor(self._data, place)
        size = outer.unsigned()
        cursor = Cursor(sealed(outer, size, "a series"))
        labels = {}
        for _ in range(cursor.unsigned()):
            name, value = cursor.unsigned(), cursor.unsigned()
            labels[self._text(name)] = self._text(value)
        reference = place // _ALIGNED if self._version > 1 else place
        return IndexedSeries(reference, labels, tuple(_chunks(cursor)))

    def _contents(self) -> tuple[int, ...]:
        """Where the sections begin; 0 for one that is not there."""
        if len(self._data) < _CONTENTS_BYTES:
            raise DamagedBlockError("the index is too short")
        tail = self._data[-_CONTENTS_BYTES:]
        cursor = Cursor(checked(tail[:-4], tail[-4:], "the index's contents"))
        return tuple(cursor.whole(8) for _ in range(_SECTIONS))

    def _read_symbols(self) -> list[int]:
        """Where the text of each symbol stands; version 1 says places itself."""
        cursor = Cursor(self._data, self._sections[_SYMBOLS])
        size = cursor.whole(4)
        begin = cursor.place
        sealed(Cursor(self._data, begin), size, "the symbols")
        places = []
        for _ in range(cursor.whole(4)):
            places.append(cursor.place)
            cursor.take(cursor.unsigned())
        return places

    def _symbol(self, reference: int) -> str:
        if self._version == 1:
            return Cursor(self._data, reference).text()
        try:
            return Cursor(self._data, self._symbols[reference]).text()
        except IndexError:
            raise DamagedBlockError(f"there is no symbol {reference}") from None


def _chunks(cursor: Cursor) -> Iterator[ChunkPlace]:
    """The first says its time and place, each next how far it is from the one before."""
    last = reference = 0
    for number in range(cursor.unsigned()):
        first = cursor.unsigned() + last if number else cursor.signed()
        last = first + cursor.unsigned()
        reference += cursor.signed() if number else cursor.unsigned()
        yield ChunkPlace(first, last, reference)
