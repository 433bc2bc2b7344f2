"""Blocks in a directory, each some hours to weeks of samples, and what was deleted from them."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from qmon_agent.ingest.drawn import Drawn, family_of

from .chunks import ChunkFiles, Sample
from .cursor import Cursor, DamagedBlockError, checked
from .index import ChunkPlace, Index, IndexedSeries

_TOMBSTONES = 0x0130BA30
_HEAD_BYTES = 5
Interval = tuple[int, int]


class _Compaction(msgspec.Struct):
    sources: tuple[str, ...] = ()


class _Meta(msgspec.Struct, rename="camel"):
    ulid: str
    min_time: int
    max_time: int
    compaction: _Compaction = msgspec.field(default_factory=_Compaction)
    stats: dict[str, Any] = {}


class Block:
    """One block; raises DamagedBlockError if it is none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            meta = msgspec.json.decode((folder / "meta.json").read_bytes(), type=_Meta)
        except (OSError, msgspec.MsgspecError) as problem:
            raise DamagedBlockError(f"{folder}/meta.json: {problem}") from None
        self.id = meta.ulid
        self.begins, self.ends = meta.min_time, meta.max_time
        """Milliseconds; the end is not in it."""
        self.sources = frozenset(meta.compaction.sources) or frozenset({meta.ulid})
        """The first blocks that it was put together from, or itself."""
        self.samples = int(meta.stats.get("numSamples", 0))

    def families(self, left_out: Counter[str]) -> Iterator[list[Drawn]]:
        """Series that belong together, as the parts of a histogram do, with their samples.

        `left_out` counts what is not among them. Raises DamagedBlockError for a broken index.
        """
        try:
            index = Index((self.folder / "index").read_bytes())
            reading = _Reading(ChunkFiles(self.folder / "chunks"), self._deleted(), left_out)
        except OSError as problem:
            raise DamagedBlockError(str(problem)) from None
        members: dict[bytes, list[int]] = defaultdict(list)
        for place in index.places():
            members[family_of(index.series(place).labels)].append(place)
        for places in members.values():
            found = [index.series(place) for place in places]
            yield [Drawn(each.labels, reading.samples(each)) for each in found]

    def _deleted(self) -> dict[int, list[Interval]]:
        """Series → times between which somebody had samples deleted."""
        path = self.folder / "tombstones"
        if not path.exists():
            return {}
        data = path.read_bytes()
        head = Cursor(data)
        if head.whole(4) != _TOMBSTONES:
            raise DamagedBlockError(f"{path} is no file of tombstones")
        cursor = Cursor(checked(data[_HEAD_BYTES:-4], data[-4:], str(path)))
        found: dict[int, list[Interval]] = defaultdict(list)
        while cursor.place < len(cursor.data):
            found[cursor.unsigned()].append((cursor.signed(), cursor.signed()))
        return found


class _Reading:
    """Samples of series, without those that were deleted or cannot be read."""

    def __init__(
        self, chunks: ChunkFiles, deleted: dict[int, list[Interval]], left_out: Counter[str]
    ) -> None:
        self._chunks = chunks
        self._deleted = deleted
        self._left_out = left_out

    def samples(self, series: IndexedSeries) -> Iterator[Sample]:
        """By time, each time once; one chunk in memory where chunks do not overlap."""
        chunks = sorted(series.chunks, key=lambda chunk: chunk.first)
        is_apart = all(a.last < b.first for a, b in itertools.pairwise(chunks))
        pieces = [self._piece(chunk) for chunk in chunks]
        whole = (each for piece in pieces for each in piece) if is_apart else _merged(pieces)
        gone = self._deleted.get(series.reference, [])
        for time, value in whole:
            if any(first <= time <= last for first, last in gone):
                self._left_out["deleted"] += 1
            else:
                yield time, value

    def _piece(self, chunk: ChunkPlace) -> Iterator[Sample]:
        try:
            found = self._chunks.samples(chunk.reference)
        except DamagedBlockError:
            self._left_out["damaged_chunk"] += 1
            return
        if found is None:
            self._left_out["native_histogram_chunk"] += 1
            return
        yield from found


def blocks_in(directory: Path) -> list[Block]:
    """All blocks of a data directory, or of one of its snapshots, the oldest first.

    Raises DamagedBlockError if one has no readable `meta.json`, OSError if there is no directory.
    """
    if (directory / "meta.json").exists():
        return [Block(directory)]
    folders = [path for path in directory.iterdir() if (path / "meta.json").exists()]
    return sorted(map(Block, folders), key=lambda block: (block.begins, block.ends))


def _merged(pieces: Iterable[Iterator[Sample]]) -> Iterator[Sample]:
    before = None
    for sample in heapq.merge(*pieces, key=lambda each: each[0]):
        if sample[0] != before:
            yield sample
        before = sample[0]
