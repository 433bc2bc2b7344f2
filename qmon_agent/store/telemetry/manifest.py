"""The list of Parquet segments and how far the journal is in them: one file, replaced whole."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from qmon_agent import durable
from qmon_agent.domain.errors import StoreError
from qmon_agent.domain.tiers import ROLLED
from qmon_agent.journal import Position

VERSION = 2
"""Since 2 there are rollups, and it is said which segments are not rolled up yet."""
FILE = "manifest.json"
MOST_DAMAGED = 1_000


Within = tuple[int, int]
"""From the first nanosecond on, and before the second one, both since 1970."""


class DamagedManifestError(StoreError):
    """The list cannot be read; the segments are there, and say themselves what they are."""


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet file: rows of one table and one day, sorted by time."""

    file: str
    """Relative to the store's directory."""
    table: str
    day: str
    rows: int
    bytes: int
    sha256: str
    oldest: int
    newest: int
    """Nanoseconds since 1970, of the first and the last row."""
    written: int
    columns: tuple[str, ...]
    """So that files from before a column was added can be read beside newer ones."""
    width: int = 0
    """Bytes that a row takes in memory, about; 0 where nobody measured it."""
    start: Position = Position()
    reached: Position = Position()
    """The stretch of the journal its rows came from; both are nothing where nobody wrote it."""
    unrolled: bool = False
    """Whether its rows are in no segment of a rollup yet, and ought to be."""
    rolled: int = 0
    """Of a rollup: the raw rows that are in it; 0 where nobody counted them."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is safe in segments: everything of the journal up to `exported`."""

    version: int = VERSION
    exported: Position = Position()
    generation: int = 0
    """The last part of the hot file that was exported."""
    segments: tuple[Segment, ...] = ()
    damaged: tuple[Segment, ...] = ()
    """Segments that were set aside: questions go on without their rows, and say so."""
    forgotten: Mapping[str, int] = {}
    """Table → rows that were taken out of segments because somebody asked to be forgotten."""
    lost: Mapping[str, int] = {}
    """Table → rows of damaged segments that are listed no more: what was set aside is gone."""

    @property
    def damaged_rows(self) -> dict[str, int]:
        """Table → rows that no question sees, because what they are in is damaged."""
        return dict(self._losing(self.damaged))

    def having(
        self, fresh: tuple[Segment, ...], *, exported: Position, generation: int
    ) -> Manifest:
        """The manifest after an export."""
        return msgspec.structs.replace(
            self,
            segments=(*self.segments, *fresh),
            exported=exported,
            generation=generation,
        )

    def setting_aside(self, damaged: Segment) -> Manifest:
        """The manifest after a segment was found to be damaged, if it is listed still.

        It may have been rolled up meanwhile: it is what the list says now that is set aside.
        """
        named = (damaged.file, damaged.sha256)
        listed = [each for each in self.segments if (each.file, each.sha256) == named]
        if not listed:
            return self
        left = self.without(frozenset({damaged.file}))
        aside = (*self.damaged, *listed)
        lost = self._losing(aside[:-MOST_DAMAGED])
        return msgspec.structs.replace(left, damaged=aside[-MOST_DAMAGED:], lost=lost)

    def mending(self, damaged: Segment, whole: Segment | None) -> Manifest:
        """The manifest after what was damaged is there again, or is given up for good."""
        if damaged not in self.damaged:
            return self
        left = tuple(each for each in self.damaged if each != damaged)
        if whole is None:
            return msgspec.structs.replace(self, damaged=left, lost=self._losing((damaged,)))
        return msgspec.structs.replace(self, damaged=left, segments=(*self.segments, whole))

    def remade(self, damaged: Segment, whole: Segment, *, of: Iterable[Segment]) -> Manifest:
        """The manifest after a rollup was made anew of segments, if these are what they were."""
        return self.mending(damaged, whole) if set(of) <= set(self.segments) else self

    def giving_up(self) -> Manifest:
        """The manifest after nothing that is damaged may be read from the journal any more.

        As nobody knows which rows of it were those of somebody who is forgotten, who makes one
        anew at this moment finds another one here, and comes too late.
        """
        unknown = Position()
        given_up = tuple(msgspec.structs.replace(each, reached=unknown) for each in self.damaged)
        return self if given_up == self.damaged else msgspec.structs.replace(self, damaged=given_up)

    def _losing(self, gone: Iterable[Segment]) -> Mapping[str, int]:
        rows = Counter(self.lost)
        for segment in gone:
            rows[segment.table] += segment.rows
        return dict(rows)

    def joining(self, parts: frozenset[str], whole: Segment) -> Manifest:
        """The manifest after segments became one; as it was, if one of them was given up."""
        if not parts <= {segment.file for segment in self.segments}:
            return self
        left = self.without(parts)
        return msgspec.structs.replace(left, segments=(*left.segments, whole))

    def rolled_up(self, source: Segment, fresh: Iterable[Segment]) -> Manifest:
        """The manifest after the rows of a segment were rolled up into others.

        As it was, if the segment is not listed any more, or written anew.
        """
        if source not in self.segments:
            return self
        done = msgspec.structs.replace(source, unrolled=False)
        segments = (done if each == source else each for each in self.segments)
        return msgspec.structs.replace(self, segments=(*segments, *fresh))

    def without(self, gone: frozenset[str]) -> Manifest:
        """The manifest after these files were given up."""
        kept = tuple(segment for segment in self.segments if segment.file not in gone)
        return msgspec.structs.replace(self, segments=kept)

    def within(self, times: Within | None) -> Manifest:
        """The same, but for segments that have nothing of a time."""
        if times is None:
            return self
        since, until = times
        kept = (each for each in self.segments if each.oldest < until and each.newest >= since)
        return msgspec.structs.replace(self, segments=tuple(kept))

    def swapped(self, old: Segment, new: Segment | None, *, forgotten: bool = False) -> Manifest:
        """The manifest after one segment was written anew with fewer rows, or with none.

        As it was, if the segment is not listed any more.
        """
        if all(segment.file != old.file for segment in self.segments):
            return self
        gone = old.rows - (0 if new is None else new.rows)
        counts = {**self.forgotten, old.table: self.forgotten.get(old.table, 0) + gone}
        segments = [
            part
            for segment in self.segments
            for part in (_instead(segment, new) if segment.file == old.file else (segment,))
        ]
        return msgspec.structs.replace(
            self,
            segments=tuple(segments),
            forgotten=counts if forgotten else self.forgotten,
        )


def _instead(segment: Segment, new: Segment | None) -> tuple[Segment, ...]:
    """It may have been rolled up while it was written anew."""
    return (msgspec.structs.replace(new, unrolled=segment.unrolled),) if new else ()


def said_of(segment: Segment) -> str:
    """What a segment holds, for people."""
    first, last = (
        datetime.fromtimestamp(ns / 1e9, tz=UTC).isoformat(timespec="seconds")
        for ns in (segment.oldest, segment.newest)
    )
    rows = f"{segment.rows} rows of {segment.table}, {segment.day}"
    return f"{rows} ({first} to {last}): {segment.file} is damaged"


def load(directory: Path) -> Manifest:
    """Read the manifest; none is an empty one, a damaged one a DamagedManifestError."""
    path = directory / FILE
    try:
        head, body = path.read_bytes().split(b"\n", 1)
    except FileNotFoundError:
        return Manifest()
    except ValueError as error:
        raise DamagedManifestError(f"{path} is damaged: it has no checksum") from error
    if head != _checksum(body):
        raise DamagedManifestError(f"{path} is damaged: its checksum does not fit")
    try:
        manifest = msgspec.json.decode(body, type=Manifest)
    except msgspec.DecodeError as error:
        raise DamagedManifestError(f"{path} cannot be read: {error}") from error
    if manifest.version > VERSION:
        raise StoreError(f"{path} was written by a newer qmon (version {manifest.version})")
    return manifest if manifest.version == VERSION else _of_today(manifest)


def _of_today(manifest: Manifest) -> Manifest:
    """A list from before there were rollups: whatever could be rolled up is to be."""
    segments = (
        msgspec.structs.replace(each, unrolled=each.table in ROLLED) for each in manifest.segments
    )
    return msgspec.structs.replace(manifest, version=VERSION, segments=tuple(segments))


def save(directory: Path, manifest: Manifest) -> None:
    """Write the manifest so that a crash leaves the old or the new one."""
    durable.replace(directory / FILE, content_of(manifest))


def content_of(manifest: Manifest) -> bytes:
    """The file, as `load` reads it."""
    body = msgspec.json.encode(manifest)
    return _checksum(body) + b"\n" + body


def _checksum(body: bytes) -> bytes:
    return b"crc32 %08x" % zlib.crc32(body)
